import { buildElb } from '../../../rehearsal/blueprint/load-balancer';
import { Resources } from '../../../rehearsal/blueprint/resources';
import { buildTaskDefinition } from '../../../rehearsal/blueprint/task-definition';
import type { Template } from '../../../rehearsal/assembly/template';

const resourcesOf = (template: Template['Resources']) =>
  new Resources({
    name: 'Shop',
    region: 'us-east-1',
    account: '123456789012',
    template: { Resources: template },
    files: new Map(),
    images: new Map(),
  });

test("a task definition has its template's family and containers, under the names of the API", () => {
  const resources = resourcesOf({
    Task: {
      Type: 'AWS::ECS::TaskDefinition',
      Properties: {
        Family: { 'Fn::Join': ['-', [{ Ref: 'AWS::StackName' }, 'proxy']] },
        Cpu: '512',
        RuntimePlatform: { CpuArchitecture: 'ARM64' },
        Volumes: [{ Name: 'data', EFSVolumeConfiguration: { FilesystemId: 'fs-1' } }],
        ContainerDefinitions: [
          {
            Name: 'proxy',
            Image: 'proxy:1',
            Essential: true,
            Environment: [{ Name: 'SIDE', Value: 'source' }],
            PortMappings: [{ ContainerPort: 8443, Protocol: 'tcp' }],
            LogConfiguration: { LogDriver: 'awslogs', Options: { 'awslogs-group': 'g', Mode: 'non-blocking' } },
            DockerLabels: { Team: 'web' },
          },
          { Name: 'agent', Image: 'agent:1' },
        ],
        Tags: [{ Key: 'team', Value: 'web' }],
      },
    },
  });
  const [task] = resources.ofType('AWS::ECS::TaskDefinition');
  expect(task && buildTaskDefinition(task)).toMatchObject({
    arn: 'arn:aws:ecs:us-east-1:123456789012:task-definition/Shop-proxy:1',
    family: 'Shop-proxy',
    revision: 1,
    content: {
      cpu: '512',
      runtimePlatform: { cpuArchitecture: 'ARM64' },
      volumes: [{ name: 'data', efsVolumeConfiguration: { filesystemId: 'fs-1' } }],
      containerDefinitions: [
        {
          name: 'proxy',
          essential: true,
          environment: [{ name: 'SIDE', value: 'source' }],
          portMappings: [{ containerPort: 8443, protocol: 'tcp' }],
          logConfiguration: { logDriver: 'awslogs', options: { 'awslogs-group': 'g', Mode: 'non-blocking' } },
          dockerLabels: { Team: 'web' },
        },
        { name: 'agent' },
      ],
    },
    tags: [{ key: 'team', value: 'web' }],
  });
});

test('further certificates of a listener stand behind its own', () => {
  const certificate = (arn: string) => ({ CertificateArn: arn });
  const model = buildElb(
    resourcesOf({
      Balancer: { Type: 'AWS::ElasticLoadBalancingV2::LoadBalancer' },
      Listener: {
        Type: 'AWS::ElasticLoadBalancingV2::Listener',
        Properties: {
          LoadBalancerArn: { Ref: 'Balancer' },
          Port: 443,
          Protocol: 'HTTPS',
          Certificates: [certificate('one')],
          DefaultActions: [{ Type: 'fixed-response', FixedResponseConfig: { StatusCode: '404' } }],
        },
      },
      More: {
        Type: 'AWS::ElasticLoadBalancingV2::ListenerCertificate',
        Properties: { ListenerArn: { Ref: 'Listener' }, Certificates: [certificate('two'), certificate('three')] },
      },
    }),
  );
  expect([...model.listeners.values()][0]?.certificateArns).toEqual(['one', 'two', 'three']);
});
