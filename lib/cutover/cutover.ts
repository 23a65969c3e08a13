import { CfnOutput, Duration, Fn, Names, Stack } from 'aws-cdk-lib';
import { IAlarm } from 'aws-cdk-lib/aws-cloudwatch';
import { Connections, IConnectable, Port, SecurityGroup } from 'aws-cdk-lib/aws-ec2';
import { Ec2Service } from 'aws-cdk-lib/aws-ecs';
import { EventBus } from 'aws-cdk-lib/aws-events';
import { Function, IFunction } from 'aws-cdk-lib/aws-lambda';
import { LogGroup, RetentionDays } from 'aws-cdk-lib/aws-logs';
import { IBucket } from 'aws-cdk-lib/aws-s3';
import { ISecret } from 'aws-cdk-lib/aws-secretsmanager';
import { IQueue } from 'aws-cdk-lib/aws-sqs';
import { DefinitionBody, IStateMachine, LogLevel, StateMachine, StateMachineType } from 'aws-cdk-lib/aws-stepfunctions';
import { Construct } from 'constructs';
import { CutoverConfig } from '../../core/cutover/cutover-config';
import type { HoldRules } from '../../core/cutover/hold-dry-run';
import { allowApis } from '../shared/api-peers';
import { acknowledge } from '../validation/nag-suppressions';
import { AdoptionProof } from './adoption-proof';
import { CutoverAttributes, CutoverBase, ICutover, ImportedCutover } from './cutover-base';
import { cutoverDefinition } from './cutover-definition';
import { addEndpoints } from './cutover-endpoints';
import { createStepFunctions, StepFunctions } from './cutover-functions';
import { CutoverPlan } from '../plan/cutover-plan';
import { CutoverRecovery } from './cutover-recovery';
import { ReadinessAlarm } from './cutover-readiness';
import { startOnSchedule } from '../plan/cutover-schedule';
import { cutoverName, checkedBy, listResources, resolveConfig } from './cutover-config';
import { createLogGroup } from '../shared/encryption';
import { limitDeployed, limitEnvironment } from '../validation/service-limits';
import { guardDeletion } from '../load-balancer/deletion-guard';
import { ADMIN_PORT } from '../shared/ports';
import { checkProps, CutoverProps } from './cutover-props';
import { allowSmokeRequests } from './smoke-route';
import { trustOwnAccountOnly } from '../shared/trusted-services';
import { WeightedRuleProvider } from '../load-balancer/weighted-rule-provider';

/**
 * Moves the live traffic from source to target, stage by stage, and rolls back on any failure: a state machine, and a
 * function for each of its steps. Start an execution to start a cutover.
 *
 * @example
 * const cutover = new Cutover(this, 'Cutover', {
 *   vpc,
 *   loadBalancer,
 *   source: sourceProxies,
 *   target: targetProxies,
 *   adminSecret: adminSecret.secret,
 *   domainName: 'shop.example.com',
 *   plan: CutoverPlan.gradual({ approval: { beforeLastStage: true } }),
 * });
 * cutover.grantStart(operators);
 * cutover.grantAbort(operators);
 * cutover.grantApprove(operators);
 */
export class Cutover extends CutoverBase implements IConnectable {
  /**
   * A cutover of another app: to say who may start, abort and approve it, to start it from a schedule or a workflow, and to
   * watch it.
   *
   * @example
   * const moved = Cutover.fromCutoverAttributes(this, 'Moved', {
   *   stateMachineArn: 'arn:aws:states:eu-central-1:111122223333:stateMachine:shop',
   *   store: bucket,
   * });
   * moved.grantStart(operators);
   * moved.grantAbort(operators);
   */
  public static fromCutoverAttributes(scope: Construct, id: string, attributes: CutoverAttributes): ICutover {
    // eslint-disable-next-line awscdk/require-passing-this -- the caller's
    return new ImportedCutover(scope, id, attributes);
  }

  public readonly stateMachine: IStateMachine;
  public readonly cutoverName: string;

  /** Holds the lock, abort requests, approvals and the evidence of every cutover: the load balancer's store. */
  public readonly store: IBucket;

  /** Makes the proxies of a side serve again. */
  public readonly undrainFunction: IFunction;

  /** Makes a dry run of a hold: counts what would wait, and holds nothing. */
  public readonly holdDryRunFunction: IFunction;

  /** Makes a preflight without a cutover, which changes nothing. */
  public readonly doctorFunction: IFunction;

  /** Puts back what a stopped execution left; a call that fails is repeated for six hours. Give its errors an alarm. */
  public readonly recoverFunction: IFunction;

  /** Has a message for each cutover that could not be put back in six hours, for two weeks. */
  public readonly givenUpQueue: IQueue;

  /** Raised while a preflight would reject a cutover; undefined without `readiness`. */
  public readonly readinessAlarm?: IAlarm;

  public readonly adminSecret: ISecret;
  public readonly connections: Connections;

  /** The log of the state machine's errors. */
  public readonly logGroup: LogGroup;

  constructor(scope: Construct, id: string, props: CutoverProps) {
    super(scope, id);
    checkProps(props, this);
    this.adminSecret = props.adminSecret;
    this.store = props.loadBalancer.store;
    this.cutoverName = cutoverName(this);
    const securityGroup = this.createSecurityGroup(props);
    this.connections = new Connections({ securityGroups: [securityGroup] });
    this.allowCalls(props);
    allowSmokeRequests(this, securityGroup, props);
    if (props.vpcEndpoints) this.addEndpoints(props);

    const logRetention = props.logRetention ?? RetentionDays.THREE_MONTHS;
    const eventBus = props.eventBus ?? EventBus.fromEventBusName(this, 'DefaultBus', 'default');
    const config = resolveConfig(this, props, eventBus);
    const plan = (props.plan ?? CutoverPlan.gradual())._toJson(props.loadBalancer.initialWeights);
    const functions = createStepFunctions(new Construct(this, 'Steps'), {
      ...props,
      smoke: Stack.of(this).toJsonString((plan as { smoke?: unknown }).smoke ?? [{ path: '/', expectedStatus: 200 }]),
      holdRules: this.renderHoldRules(plan),
      store: this.store,
      securityGroup,
      config,
      resources: listResources(this, props, eventBus),
      logRetention,
    });
    this.recoverFunction = functions.recover;
    this.logGroup = createLogGroup(this, 'Log', {
      logGroupName: vendedLogName(this),
      retention: logRetention,
      encryptionKey: props.encryptionKey,
    });
    this.stateMachine = this.createStateMachine(props, functions, plan);
    const recovery = new CutoverRecovery(this, 'Recovery', {
      stateMachine: this.stateMachine,
      recover: functions.recover,
      encryptionKey: props.encryptionKey,
    });
    this.givenUpQueue = recovery.givenUp;
    if (props.schedule) {
      startOnSchedule(this, this.stateMachine, props.schedule, {
        initialWeights: props.loadBalancer.initialWeights,
        plan: props.plan ?? CutoverPlan.gradual(),
        changeablePlanParts: props.changeablePlanParts,
        encryptionKey: props.encryptionKey,
      });
    }
    this.undrainFunction = functions.undrain;
    this.holdDryRunFunction = functions.holdDryRun;
    this.doctorFunction = functions.doctor;
    this.readinessAlarm = this.createReadinessAlarm(props, functions.doctor, plan);
    // It has in its environment what the others have, and the smoke requests beside.
    limitEnvironment(functions.undrain, "'plan.smoke' and the names of what the cutover acts on");
    const { loadBalancer, source, target, alarms = [], sourceAlarms = [] } = props;
    loadBalancer.weightedRule._createAfter(source.service, target.service);
    const proofFunctionName = this.proveBeforeAdoption(props, { securityGroup, logRetention });
    this.renderCutoverConfig({ ...config, ...(proofFunctionName !== undefined && { proofFunctionName }) });
    acknowledge(this, 'cutover');
    trustOwnAccountOnly(this);
    WeightedRuleProvider.of(this).keepLog(logRetention);
    guardDeletion(this, loadBalancer, [loadBalancer.weightedRule, source, target, ...alarms, ...sourceAlarms]);
  }

  private createReadinessAlarm(props: CutoverProps, doctor: Function, defaultPlan: object): IAlarm | undefined {
    const { readiness, notificationTopic, encryptionKey } = props;
    if (!readiness) return undefined;
    const deployed = { defaultPlan, alarms: checkedBy(props) };
    const { cutoverName: name } = this;
    const given = { readiness, notificationTopic, doctor, deployed, cutoverName: name, encryptionKey };
    return new ReadinessAlarm(this, 'Readiness', given).alarm;
  }

  private renderHoldRules(plan: { readonly switch?: HoldRules }): string | undefined {
    if (!plan.switch) return undefined;
    const { maxPauseMs, maxWaiting } = plan.switch;
    return Stack.of(this).toJsonString({ maxPauseMs, maxWaiting });
  }

  private createSecurityGroup(props: CutoverProps): SecurityGroup {
    const securityGroup = new SecurityGroup(this, 'SecurityGroup', {
      vpc: props.vpc,
      description: 'The steps of a cutover',
      allowAllOutbound: false,
    });
    allowApis(securityGroup, props.apiPeers, 'The AWS APIs');
    return securityGroup;
  }

  /** From here, so that the rules are in this stack: those that it calls may be in others, which must not wait for it. */
  private allowCalls({ source, target }: CutoverProps): void {
    for (const proxies of [source, target]) {
      this.connections.allowTo(proxies, Port.tcp(ADMIN_PORT), 'The admin API');
    }
  }

  private addEndpoints(props: CutoverProps): void {
    addEndpoints(new Construct(this, 'Endpoints'), {
      vpc: props.vpc,
      vpcSubnets: props.vpcSubnets,
      callers: [this, ...props.source._callers, ...props.target._callers],
      hasAlarms: (props.alarms ?? []).length + (props.sourceAlarms ?? []).length > 0,
      hasTopic: props.notificationTopic !== undefined,
      hasInstances: [props.source, props.target].some(({ service }) => service instanceof Ec2Service),
      canExecute: [props.source, props.target].some(({ _canExecute }) => _canExecute),
      switches: props.plan?._switches ?? false,
      hasHosts: props.plan?._hosts !== undefined,
      hasHookFunction: Object.values(props.plan?._hookFunctionArns ?? {}).some((arns) => arns.length > 0),
    });
  }

  /** A rule on a listener with traffic is made only over proxies that serve. */
  private proveBeforeAdoption(
    props: CutoverProps,
    { securityGroup, logRetention }: { readonly securityGroup: SecurityGroup; readonly logRetention: RetentionDays },
  ): string | undefined {
    if (!props.loadBalancer.weightedRule._joinsListener) return undefined;
    const plan = props.plan ?? CutoverPlan.gradual();
    return new AdoptionProof(this, 'AdoptionProof', { ...props, plan, securityGroup, logRetention }).functionName;
  }

  private createStateMachine(props: CutoverProps, functions: StepFunctions, defaultPlan: object): StateMachine {
    const { changeablePlanParts: changeableParts } = props;
    const deployed = { defaultPlan, ...(changeableParts && { changeableParts }), alarms: checkedBy(props) };
    limitDeployed(this, "'plan' and 'alarms'", deployed);
    return new StateMachine(this, 'StateMachine', {
      comment: 'Moves live traffic from source to target',
      stateMachineType: StateMachineType.STANDARD,
      definitionBody: DefinitionBody.fromChainable(
        cutoverDefinition(new Construct(this, 'States'), functions, deployed),
      ),
      timeout: Duration.days(30),
      tracingEnabled: true,
      logs: { destination: this.logGroup, level: LogLevel.ERROR, includeExecutionData: true },
    });
  }

  /** For the command line, which finds in it what to act on. */
  private renderCutoverConfig(config: CutoverConfig): void {
    const output = new CfnOutput(this, 'CutoverConfig', {
      description: 'What the commands of drainshift act on',
      value: Stack.of(this).toJsonString({
        ...config,
        undrainFunctionName: this.undrainFunction.functionName,
        holdDryRunFunctionName: this.holdDryRunFunction.functionName,
        doctorFunctionName: this.doctorFunction.functionName,
        stateMachineArn: this.stateMachine.stateMachineArn,
      } satisfies CutoverConfig),
    });
    // Found by the end of its name, which would be a hash otherwise.
    output.overrideLogicalId(`${Names.uniqueResourceName(this, { maxLength: 200 })}CutoverConfig`);
  }
}

/**
 * A log of this place needs no policy of the account, of which a region has ten. The log outlives its stack, so each stack has
 * a name of its own.
 *
 * @see https://docs.aws.amazon.com/step-functions/latest/dg/cw-logs.html
 */
function vendedLogName(scope: Construct): string {
  const name = Names.uniqueResourceName(scope, { maxLength: 200, separator: '-' });
  const stack = Fn.select(0, Fn.split('-', Fn.select(2, Fn.split('/', Stack.of(scope).stackId))));
  return `/aws/vendedlogs/states/${name}-${stack}`;
}
