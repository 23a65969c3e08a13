/* eslint-disable awscdk/require-passing-this -- a function that takes a scope, and no construct of its own */
import { Stack } from 'aws-cdk-lib';
import {
  CfnVPCEndpoint,
  GatewayVpcEndpoint,
  GatewayVpcEndpointAwsService,
  IConnectable,
  IVpc,
  InterfaceVpcEndpoint,
  InterfaceVpcEndpointAwsService,
  SecurityGroup,
  SubnetSelection,
} from 'aws-cdk-lib/aws-ec2';
import { AnyPrincipal, PolicyStatement } from 'aws-cdk-lib/aws-iam';
import { Construct } from 'constructs';

export interface CutoverEndpointsProps {
  readonly vpc: IVpc;
  readonly vpcSubnets?: SubnetSelection;
  /** Who calls through the endpoints. */
  readonly callers: readonly IConnectable[];
  readonly hasAlarms: boolean;
  readonly hasTopic: boolean;
  /** Whether proxies run on instances, whose agent calls ECS by endpoints of its own. */
  readonly hasInstances: boolean;
  /** Whether commands can be run in the tasks. */
  readonly canExecute: boolean;
  /** Whether the plan switches: the autoscaling of the proxies is suspended meanwhile. */
  readonly switches: boolean;
  /** Whether the plan's switch runs commands on hosts. */
  readonly hasHosts: boolean;
  /** Whether the plan's hook is a function. */
  readonly hasHookFunction: boolean;
}

const AWS = InterfaceVpcEndpointAwsService;

/** What the proxies and the steps call in any case, by the name of its endpoint. */
const ALWAYS = {
  ElasticLoadBalancing: AWS.ELASTIC_LOAD_BALANCING,
  Ecs: AWS.ECS,
  SecretsManager: AWS.SECRETS_MANAGER,
  // It says who has signed an approval, also one that a plan of an execution's input asks for.
  Sts: AWS.STS,
  EventBridge: AWS.EVENTBRIDGE,
  Logs: AWS.CLOUDWATCH_LOGS,
  EcrApi: AWS.ECR,
  EcrDocker: AWS.ECR_DOCKER,
} as const;

/**
 * Those that are known to support a policy; one that does not could not be created with it. The agents' and ECS' are left
 * out.
 */
const WITH_POLICY = [
  'ElasticLoadBalancing',
  'SecretsManager',
  'EventBridge',
  'Logs',
  'EcrApi',
  'EcrDocker',
  'Monitoring',
  'Sns',
  'Sts',
  'Lambda',
  'Ssm',
];

/**
 * The endpoints that a network without a NAT gateway needs, open to the steps and the proxies alone. One that this app
 * has made in the network before is left as it is, and so is who may use S3: through its endpoint go the image's layers, what
 * CloudFormation gets a response, and the requests of others in this network.
 */
export function addEndpoints(scope: Construct, props: CutoverEndpointsProps): void {
  const { vpc, vpcSubnets: subnets } = props;
  const wanted: Record<string, InterfaceVpcEndpointAwsService> = {
    ...ALWAYS,
    ...(props.hasAlarms && { Monitoring: AWS.CLOUDWATCH_MONITORING }),
    ...(props.hasTopic && { Sns: AWS.SNS }),
    ...(props.hasInstances && { EcsAgent: AWS.ECS_AGENT, EcsTelemetry: AWS.ECS_TELEMETRY }),
    ...(props.switches && { Autoscaling: AWS.APPLICATION_AUTOSCALING }),
    ...(props.hasHosts && { Ssm: AWS.SSM }),
    ...(props.hasHookFunction && { Lambda: AWS.LAMBDA }),
    ...(props.canExecute && { SsmMessages: AWS.SSM_MESSAGES }),
  };
  const missing = Object.entries(wanted).filter(([, service]) => !hasEndpoint(vpc, service));
  const securityGroup = new SecurityGroup(scope, 'SecurityGroup', {
    vpc,
    description: 'The endpoints of a cutover',
    allowAllOutbound: false,
  });
  for (const [name, service] of missing) {
    const endpoint = new InterfaceVpcEndpoint(scope, name, {
      vpc,
      service,
      subnets,
      securityGroups: [securityGroup],
      open: false,
    });
    if (WITH_POLICY.includes(name)) endpoint.addToPolicy(ownAccountOnly(scope));
    for (const caller of props.callers) endpoint.connections.allowDefaultPortFrom(caller, 'The AWS APIs');
  }
  const s3 = GatewayVpcEndpointAwsService.S3;
  if (!hasEndpoint(vpc, s3)) new GatewayVpcEndpoint(scope, 'S3', { vpc, service: s3 });
}

/**
 * A stranger's credentials carry nothing out of the network.
 *
 * @see https://docs.aws.amazon.com/vpc/latest/privatelink/vpc-endpoints-access.html
 */
function ownAccountOnly(scope: Construct): PolicyStatement {
  return new PolicyStatement({
    principals: [new AnyPrincipal()],
    actions: ['*'],
    resources: ['*'],
    conditions: { StringEquals: { 'aws:PrincipalAccount': Stack.of(scope).account } },
  });
}

/** Sees what hangs below the network in the tree: what the network's own methods add. */
function hasEndpoint(vpc: IVpc, service: { readonly name: string }): boolean {
  const stack = Stack.of(vpc);
  const formatName = (value: unknown) => JSON.stringify(stack.resolve(value));
  return vpc.node
    .findAll()
    .some((child) => child instanceof CfnVPCEndpoint && formatName(child.serviceName) === formatName(service.name));
}
