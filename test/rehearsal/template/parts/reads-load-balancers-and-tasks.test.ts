import { mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import type { CutoverConfig } from '../../../../core/cutover/cutover-config';
import { buildElb } from '../../../../rehearsal/template/parts/load-balancer';
import { Resources } from '../../../../rehearsal/template/resources/resources';
import { Properties } from '../../../../rehearsal/template/resources/properties';
import { readTracking } from '../../../../rehearsal/template/parts/scaling-policies';
import { buildServices } from '../../../../rehearsal/template/parts/services';
import { withoutEffect } from '../../../../rehearsal/template/model/without-effect';
import { buildTaskDefinition } from '../../../../rehearsal/template/parts/task-definition';
import type { Template } from '../../../../rehearsal/template/assembly/template';

const listResources = (template: Template['Resources'], images: ReadonlyMap<string, string> = new Map()) =>
  new Resources({
    name: 'Shop',
    region: 'us-east-1',
    account: '123456789012',
    template: { Resources: template },
    files: new Map(),
    images,
  });

test("a task definition has its template's family and containers, under the names of the API", () => {
  const resources = listResources({
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

describe('a service', () => {
  const folder = mkdtempSync(join(tmpdir(), 'drainshift-service-'));
  writeFileSync(join(folder, 'proxy.js'), '');
  afterAll(() => rmSync(folder, { recursive: true }));

  const findService = (properties: Record<string, unknown>) => {
    const resources = listResources(
      {
        Task: {
          Type: 'AWS::ECS::TaskDefinition',
          Properties: {
            Family: 'proxy',
            ContainerDefinitions: [{ Name: 'proxy', Image: 'proxies:1', Command: ['node', 'proxy.js'] }],
          },
        },
        Service: {
          Type: 'AWS::ECS::Service',
          Properties: { Cluster: 'c', TaskDefinition: { Ref: 'Task' }, ...properties },
        },
      },
      new Map([['1', folder]]),
    );
    const [source = ''] = resources.ofType('AWS::ECS::Service').map(({ identity }) => identity.attributes.Name);
    const serviceNames = { source, target: 'other' };
    const [service] = buildServices(resources, [], { serviceNames } as CutoverConfig, () => '');
    return service;
  };

  test('keeps unhealthy tasks for its grace period, and has as many meanwhile as its deployment configuration allows', () => {
    expect(
      findService({
        HealthCheckGracePeriodSeconds: '45',
        DeploymentConfiguration: { MinimumHealthyPercent: 50, MaximumPercent: 150 },
      }),
    ).toMatchObject({ healthCheckGracePeriodSeconds: 45, minimumHealthyPercent: 50, maximumPercent: 150 });
    expect(findService({})).toMatchObject({
      healthCheckGracePeriodSeconds: 0,
      minimumHealthyPercent: 100,
      maximumPercent: 200,
    });
    expect(() => findService({ HealthCheckGracePeriodSeconds: 'soon' })).toThrow(
      '\'Service.HealthCheckGracePeriodSeconds\' of the template must be a number, got "soon"',
    );
  });
});

describe('a policy of a scaling', () => {
  const read = (configuration: Record<string, unknown>) =>
    readTracking('Cpu', 'arn', new Properties('Policy', { TargetValue: '50', ...configuration }));

  test('tracks what the rehearsal measures; of the rest it knows the name, and has no data', () => {
    const predefined = (PredefinedMetricType: string, ResourceLabel?: string) =>
      read({ PredefinedMetricSpecification: { PredefinedMetricType, ...(ResourceLabel && { ResourceLabel }) } }).metric;
    expect(predefined('ECSServiceAverageCPUUtilization')).toEqual({ kind: 'cpu' });
    expect(predefined('ECSServiceAverageMemoryUtilization')).toEqual({ kind: 'memory' });
    expect(predefined('ALBRequestCountPerTarget', 'app/front/1/targetgroup/web/2')).toEqual({
      kind: 'requests',
      targetGroup: 'targetgroup/web/2',
    });
    expect(predefined('Other')).toEqual({ kind: 'unknown', name: 'Other' });
    expect(read({ CustomizedMetricSpecification: { MetricName: 'LiveConnections' } }).metric).toEqual({
      kind: 'connections',
    });
    expect(read({ CustomizedMetricSpecification: { MetricName: 'Orders' } }).metric).toEqual({
      kind: 'unknown',
      name: 'Orders',
    });
  });

  test('has the cooldowns of ECS unless it says others', () => {
    const specification = {
      PredefinedMetricSpecification: { PredefinedMetricType: 'ECSServiceAverageCPUUtilization' },
    };
    const standard = { target: 50, disableScaleIn: false, scaleOutCooldownSeconds: 300, scaleInCooldownSeconds: 300 };
    expect(read(specification)).toMatchObject(standard);
    expect(read({ ...specification, ScaleOutCooldown: 60, DisableScaleIn: true })).toMatchObject({
      scaleOutCooldownSeconds: 60,
      disableScaleIn: true,
    });
  });
});

test('attributes without effect are named, where they are no defaults', () => {
  const pairs = (attributes: Record<string, string>) =>
    Object.entries(attributes).map(([Key, Value]) => ({ Key, Value }));
  const model = buildElb(
    listResources({
      Balancer: {
        Type: 'AWS::ElasticLoadBalancingV2::LoadBalancer',
        Properties: {
          LoadBalancerAttributes: pairs({
            'idle_timeout.timeout_seconds': '600',
            'routing.http2.enabled': 'false',
            'deletion_protection.enabled': 'false',
            'routing.http.desync_mitigation_mode': 'strictest',
          }),
        },
      },
      Group: {
        Type: 'AWS::ElasticLoadBalancingV2::TargetGroup',
        Properties: {
          TargetType: 'ip',
          TargetGroupAttributes: pairs({ 'stickiness.enabled': 'true', 'load_balancing.cross_zone.enabled': 'false' }),
        },
      },
    }),
  );
  expect(withoutEffect(model)).toEqual([
    expect.stringMatching(
      /^'Shop-.*': routing\.http2\.enabled=false, routing\.http\.desync_mitigation_mode=strictest$/,
    ),
    expect.stringMatching(/^'Shop-.*': load_balancing\.cross_zone\.enabled=false$/),
  ]);
});

test('the rewrites of a rule come from the template, and one that the service rejects is rejected', () => {
  const template = (Regex: string) => ({
    Balancer: { Type: 'AWS::ElasticLoadBalancingV2::LoadBalancer' },
    Listener: {
      Type: 'AWS::ElasticLoadBalancingV2::Listener',
      Properties: { LoadBalancerArn: { Ref: 'Balancer' }, Port: 80, DefaultActions: [FIXED] },
    },
    Rule: {
      Type: 'AWS::ElasticLoadBalancingV2::ListenerRule',
      Properties: {
        ListenerArn: { Ref: 'Listener' },
        Priority: 1,
        Conditions: [{ Field: 'path-pattern', Values: ['/*'] }],
        Actions: [FIXED],
        Transforms: [{ Type: 'url-rewrite', UrlRewriteConfig: { Rewrites: [{ Regex, Replace: '/$1' }] } }],
      },
    },
  });
  const rules = [...buildElb(listResources(template('^/a(.*)'))).rules.values()];
  expect(rules.find(({ priority }) => priority === 1)?.transforms).toEqual([
    { type: 'url-rewrite', rewrites: [{ regex: '^/a(.*)', replace: '/$1' }] },
  ]);
  expect(() => buildElb(listResources(template('(?=a)')))).toThrow(/Regex '\(\?=a\)' is not valid/);
});

const FIXED = { Type: 'fixed-response', FixedResponseConfig: { StatusCode: '404' } };

test('further certificates of a listener stand behind its own', () => {
  const certificate = (arn: string) => ({ CertificateArn: arn });
  const model = buildElb(
    listResources({
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
