import { Duration, Stack } from 'aws-cdk-lib';
import { ISecurityGroup, IVpc, SubnetSelection } from 'aws-cdk-lib/aws-ec2';
import { Architecture, Code, Function, Runtime, Tracing } from 'aws-cdk-lib/aws-lambda';
import { IKey } from 'aws-cdk-lib/aws-kms';
import { RetentionDays } from 'aws-cdk-lib/aws-logs';
import { IBucket } from 'aws-cdk-lib/aws-s3';
import { ISecret } from 'aws-cdk-lib/aws-secretsmanager';
import { ITopic } from 'aws-cdk-lib/aws-sns';
import { Construct } from 'constructs';
import {
  CutoverConfig,
  HOLD_RULES_VARIABLE,
  SMOKE_VARIABLE,
  Step,
  STEPS,
  CONFIG_VARIABLE,
} from '../../core/cutover/cutover-config';
import { findStepSeconds } from '../../core/cutover/step-limits';
import { lambdaAsset } from '../shared/assets';
import { CutoverPlan } from '../plan/cutover-plan';
import { createLogGroup, letDecrypt, letEncrypt, letRead } from '../shared/encryption';
import { statementsFor, STEP_RIGHTS, StepResources } from './cutover-rights';

export interface CutoverFunctionsProps {
  readonly vpc: IVpc;
  readonly vpcSubnets?: SubnetSelection;
  readonly securityGroup: ISecurityGroup;
  readonly config: CutoverConfig;
  readonly resources: StepResources;
  readonly adminSecret: ISecret;
  readonly plan?: CutoverPlan;
  readonly trustedAuthorities?: ISecret;
  readonly notificationTopic?: ITopic;
  readonly logRetention: RetentionDays;
  /** The deployed plan's, as JSON. */
  readonly smoke: string;
  /** What the deployed plan says of a hold, as JSON, where it switches. */
  readonly holdRules?: string;
  readonly store: IBucket;
  readonly encryptionKey?: IKey;
}

export type StepFunctions = Readonly<Record<Step, Function>>;

/** Those that may switch, or show that it can be done, call every task: a whole processor for 1,000 of them. */
const SWITCHING: readonly Step[] = ['preflight', 'switch', 'rollback', 'recover', 'holdDryRun', 'doctor'];
const MEMORY_MIB = { switching: 1792, other: 256 } as const;

/** One function a step, each with its own rights, all in one log. */
export function createStepFunctions(scope: Construct, props: CutoverFunctionsProps): StepFunctions {
  const { encryptionKey } = props;
  const logGroup = createLogGroup(scope, 'Log', { retention: props.logRetention, encryptionKey });
  const config = Stack.of(scope).toJsonString(props.config);
  const code = Code.fromAsset(lambdaAsset());
  const create = (step: Step): Function => {
    const created = new Function(scope, formatName(step), {
      description: `Cutover: ${step}`,
      code,
      handler: `index.${step}`,
      runtime: Runtime.NODEJS_24_X,
      architecture: Architecture.ARM_64,
      memorySize: SWITCHING.includes(step) ? MEMORY_MIB.switching : MEMORY_MIB.other,
      timeout: Duration.seconds(findStepSeconds(step)),
      vpc: props.vpc,
      vpcSubnets: props.vpcSubnets,
      securityGroups: [props.securityGroup],
      environment: { [CONFIG_VARIABLE]: config, ...listOwnVariables(step, props) },
      environmentEncryption: encryptionKey,
      logGroup,
      tracing: Tracing.ACTIVE,
    });
    for (const statement of statementsFor(STEP_RIGHTS[step], props.resources)) created.addToRolePolicy(statement);
    letDecrypt(created, encryptionKey);
    if (STEP_RIGHTS[step].store.GetObject) letDecrypt(created, props.store.encryptionKey);
    if (STEP_RIGHTS[step].store.PutObject) letEncrypt(created, props.store.encryptionKey);
    // Grants and not statements: they know the secret's suffix, and the keys of both.
    if (STEP_RIGHTS[step].callProxies) letRead(props.adminSecret, created);
    if (STEP_RIGHTS[step].callHooks.includes('switch'))
      props.plan?._storeSecrets.forEach((each) => letRead(each, created));
    if (STEP_RIGHTS[step].smoke && props.trustedAuthorities) letRead(props.trustedAuthorities, created);
    if (STEP_RIGHTS[step].notify) props.notificationTopic?.grantPublish(created);
    return created;
  };
  return Object.fromEntries(STEPS.map((step) => [step, create(step)])) as Record<Step, Function>;
}

/** Of the functions that are called from outside, and are given no plan. */
function listOwnVariables(step: Step, { smoke, holdRules }: CutoverFunctionsProps): Record<string, string> {
  if (step === 'undrain') return { [SMOKE_VARIABLE]: smoke };
  return step === 'holdDryRun' && holdRules !== undefined ? { [HOLD_RULES_VARIABLE]: holdRules } : {};
}

/** `Lock`, `Preflight`, …: the same names as the states. */
function formatName(step: Step): string {
  return step.charAt(0).toUpperCase() + step.slice(1);
}
