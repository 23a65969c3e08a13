import { Duration, RemovalPolicy, Stack } from 'aws-cdk-lib';
import { Connections, IConnectable, IVpc, Peer, Port, SecurityGroup } from 'aws-cdk-lib/aws-ec2';
import { Rule } from 'aws-cdk-lib/aws-events';
import { LambdaFunction } from 'aws-cdk-lib/aws-events-targets';
import { Grant, IGrantable } from 'aws-cdk-lib/aws-iam';
import { IFunction } from 'aws-cdk-lib/aws-lambda';
import { LogGroup, RetentionDays } from 'aws-cdk-lib/aws-logs';
import { BlockPublicAccess, Bucket, BucketEncryption } from 'aws-cdk-lib/aws-s3';
import { ISecret } from 'aws-cdk-lib/aws-secretsmanager';
import { DefinitionBody, LogLevel, StateMachine, StateMachineType } from 'aws-cdk-lib/aws-stepfunctions';
import { Construct } from 'constructs';
import { CutoverWiring } from '../core/wiring';
import { cutoverDefinition } from './cutover-definition';
import { createStepFunctions, StepFunctions } from './cutover-functions';
import { CutoverPlan } from './cutover-plan';
import { StepResources } from './cutover-rights';
import { MigrationLoadBalancer } from './migration-load-balancer';
import { ADMIN_PORT, SMOKE_PORTS } from './ports';
import { ProxyService } from './proxy-service';
import { checkDomainName, refuse } from './refusals';

export interface CutoverProps {
  /** The network of the steps; they need a way to the AWS APIs, the load balancer and the proxies. */
  readonly vpc: IVpc;

  /** The load balancer whose weights are moved. */
  readonly loadBalancer: MigrationLoadBalancer;

  /** The proxies before the backend that serves today. */
  readonly source: ProxyService;

  /** The proxies before the backend that will serve; in the same cluster. */
  readonly target: ProxyService;

  /** The key of the proxies' admin API. */
  readonly adminSecret: ISecret;

  /** The name that clients use: the smoke requests ask for it. */
  readonly domainName: string;

  /**
   * What an execution does unless it is started with a plan of its own.
   * @default CutoverPlan.gradual()
   */
  readonly plan?: CutoverPlan;
}

/**
 * Moves the live traffic from source to target, stage by stage, and goes back on any failure: a state machine, and a
 * function for each of its steps. Start an execution to begin a cutover.
 *
 * @example
 * const cutover = new Cutover(this, 'Cutover', {
 *   vpc,
 *   loadBalancer,
 *   source: sourceProxies,
 *   target: targetProxies,
 *   adminSecret: adminSecret.secret,
 *   domainName: 'shop.example.com',
 *   plan: CutoverPlan.gradual(),
 * });
 * cutover.grantStart(operators);
 */
export class Cutover extends Construct implements IConnectable {
  public readonly stateMachine: StateMachine;

  /** Holds the lock, abort requests and the evidence of every cutover. */
  public readonly store: Bucket;

  public readonly adminSecret: ISecret;
  public readonly connections: Connections;

  constructor(scope: Construct, id: string, props: CutoverProps) {
    super(scope, id);
    checkDomainName('domainName', props.domainName);
    if (props.source.cluster !== props.target.cluster) {
      refuse('target.cluster', 'the cluster of the source', props.target.cluster.node.path);
    }
    this.adminSecret = props.adminSecret;
    this.store = this.createStore();
    const securityGroup = this.createSecurityGroup(props);
    this.connections = new Connections({ securityGroups: [securityGroup] });
    this.allowCalls(props);

    const functions = createStepFunctions(new Construct(this, 'Steps'), {
      vpc: props.vpc,
      securityGroup,
      wiring: this.wiringOf(props),
      resources: this.resourcesOf(props),
      adminSecret: props.adminSecret,
    });
    this.stateMachine = this.createStateMachine(props, functions);
    this.recoverWith(functions.recover);
  }

  /** Lets somebody begin a cutover. */
  public grantStart(grantee: IGrantable): Grant {
    return this.stateMachine.grants.startExecution(grantee);
  }

  private createStore(): Bucket {
    return new Bucket(this, 'Store', {
      encryption: BucketEncryption.S3_MANAGED,
      blockPublicAccess: BlockPublicAccess.BLOCK_ALL,
      enforceSSL: true,
      versioned: true,
      removalPolicy: RemovalPolicy.RETAIN,
    });
  }

  private createSecurityGroup(props: CutoverProps): SecurityGroup {
    const securityGroup = new SecurityGroup(this, 'SecurityGroup', {
      vpc: props.vpc,
      description: 'The steps of a cutover',
      allowAllOutbound: false,
    });
    securityGroup.addEgressRule(Peer.anyIpv4(), Port.HTTPS, 'The AWS APIs');
    if (props.loadBalancer.internetFacing) {
      // Its name resolves to public addresses, which no rule between security groups covers.
      const smokeTests = Port.tcpRange(SMOKE_PORTS.source, SMOKE_PORTS.target);
      securityGroup.addEgressRule(Peer.anyIpv4(), smokeTests, 'Smoke tests');
    }
    return securityGroup;
  }

  private allowCalls(props: CutoverProps): void {
    props.loadBalancer.allowSmokeTestsFrom(this);
    for (const proxies of [props.source, props.target]) {
      proxies.connections.allowFrom(this, Port.tcp(ADMIN_PORT), 'The admin API');
    }
  }

  private wiringOf(props: CutoverProps): CutoverWiring {
    const { loadBalancer, source, target } = props;
    return {
      loadBalancerArn: loadBalancer.loadBalancer.loadBalancerArn,
      weightedRuleArn: loadBalancer.weightedRule.listenerRuleArn,
      weightedListenerArn: loadBalancer.listener.listenerArn,
      smokeListenerArns: {
        source: loadBalancer.sourceListener.listenerArn,
        target: loadBalancer.targetListener.listenerArn,
      },
      targetGroupArns: {
        source: loadBalancer.sourceGroup.targetGroup.targetGroupArn,
        target: loadBalancer.targetGroup.targetGroup.targetGroupArn,
      },
      clusterArn: source.cluster.clusterArn,
      serviceNames: { source: source.service.serviceName, target: target.service.serviceName },
      adminPort: ADMIN_PORT,
      adminSecretArn: props.adminSecret.secretArn,
      storeBucket: this.store.bucketName,
      domainName: props.domainName,
    };
  }

  private resourcesOf(props: CutoverProps): StepResources {
    const { cluster } = props.source;
    return {
      weightedRuleArn: props.loadBalancer.weightedRule.listenerRuleArn,
      clusterArn: cluster.clusterArn,
      taskArns: Stack.of(this).formatArn({
        service: 'ecs',
        resource: 'task',
        resourceName: `${cluster.clusterName}/*`,
      }),
      storeArn: this.store.bucketArn,
    };
  }

  private createStateMachine(props: CutoverProps, functions: StepFunctions): StateMachine {
    const plan = (props.plan ?? CutoverPlan.gradual())._toJson(props.loadBalancer.initialWeights);
    return new StateMachine(this, 'StateMachine', {
      comment: 'Moves live traffic from source to target',
      stateMachineType: StateMachineType.STANDARD,
      definitionBody: DefinitionBody.fromChainable(cutoverDefinition(new Construct(this, 'States'), functions, plan)),
      timeout: Duration.days(30),
      tracingEnabled: true,
      logs: {
        destination: new LogGroup(this, 'Log', { retention: RetentionDays.THREE_MONTHS }),
        level: LogLevel.ERROR,
        includeExecutionData: true,
      },
    });
  }

  /** Step Functions runs no Catch when a person stops an execution, when its time is over, or when its history is full. */
  private recoverWith(recover: IFunction): void {
    new Rule(this, 'Interrupted', {
      description: 'Puts the traffic back when a cutover was stopped from outside',
      eventPattern: {
        source: ['aws.states'],
        detailType: ['Step Functions Execution Status Change'],
        detail: { stateMachineArn: [this.stateMachine.stateMachineArn], status: ['ABORTED', 'TIMED_OUT', 'FAILED'] },
      },
      targets: [new LambdaFunction(recover, { retryAttempts: 10, maxEventAge: Duration.hours(6) })],
    });
  }
}
