import type { SmokeRoute } from '../plan/smoke';
import { Side } from '../traffic/weights';

/**
 * What a deployed cutover acts on. The constructs write it as JSON into `DRAINSHIFT_CUTOVER_CONFIG` of every Lambda function,
 * the functions read it, and the rehearsal finds a cutover in a foreign template by it. What a user may give many of has no
 * room there, and stands in the definition of the state machine (`HeededAlarms`).
 */
export interface CutoverConfig {
  readonly loadBalancerArn: string;
  /** The rule on the `:443` listener whose weights the cutover owns. */
  readonly weightedRuleArn: string;
  readonly weightedListenerArn: string;
  /** The listeners that lead to one side alone: `:9201` and `:9202`. */
  readonly smokeListenerArns: Readonly<Record<Side, string>>;
  readonly targetGroupArns: Readonly<Record<Side, string>>;
  readonly clusterArn: string;
  readonly serviceNames: Readonly<Record<Side, string>>;
  /** The port of the admin API on every proxy task, plain HTTP with signed requests. */
  readonly adminPort: number;
  /** A Secrets Manager secret whose string is the HMAC key of the admin API. */
  readonly adminSecretArn: string;
  /** The S3 bucket that holds the lock, abort requests and evidence. */
  readonly storeBucket: string;
  /** The name that clients use: SNI, Host and certificate name of the smoke requests. */
  readonly domainName: string;
  /** The certificate of that name is self-signed: its name and dates are checked, and no authority vouches for it. */
  readonly isSelfSigned?: boolean;
  /** A Secrets Manager secret whose string is PEM: who vouches for that certificate instead of the public authorities. */
  readonly trustedAuthoritiesArn?: string;
  /** Which way the smoke requests take. @default 'loadBalancer' */
  readonly smokeRoute?: SmokeRoute;
  /** The SNS topic that notifies operators. */
  readonly notificationTopicArn?: string;
  /** The EventBridge bus that notifies other systems. */
  readonly eventBusName?: string;
  /**
   * The function that proves the proxies before they get requests of a listener that serves them without the proxies, too.
   * Only on such a listener, and for the command line alone.
   */
  readonly proofFunctionName?: string;
  /** The function that lets a side serve again; in the output for people, and not in the functions' own environment. */
  readonly undrainFunctionName?: string;
  /** The function that makes a dry run of a hold; in the output for people, as the one above. */
  readonly holdDryRunFunctionName?: string;
  /** The function that makes a preflight without a cutover; in the output for people, as the one above. */
  readonly doctorFunctionName?: string;
  /** The state machine; in the output for people, as the one above. */
  readonly stateMachineArn?: string;
  /** The stack that it is in, for messages. */
  readonly stackName?: string;
  /** Sets this cutover's metrics apart from those of others in the account. */
  readonly cutoverName?: string;
}

export const CONFIG_VARIABLE = 'DRAINSHIFT_CUTOVER_CONFIG';

export function parseCutoverConfig(json: string | undefined): CutoverConfig {
  if (json === undefined) throw new Error(`'${CONFIG_VARIABLE}' must be set, got nothing`);
  return JSON.parse(json) as CutoverConfig;
}

/** The steps of a cutover: one Lambda function each, bundled under its own name. */
export const STEPS = [
  'lock',
  'preflight',
  'approve',
  'hook',
  'shift',
  'switch',
  'confirm',
  'bake',
  'drain',
  'verify',
  'complete',
  'rollback',
  'record',
  'recover',
  'undrain',
  'holdDryRun',
  'doctor',
] as const;

export type Step = (typeof STEPS)[number];

/** The smoke requests of the deployed plan, as JSON, in the environment of `undrain`. */
export const SMOKE_VARIABLE = 'DRAINSHIFT_SMOKE';

/** What the deployed plan says of a hold, as JSON, in the environment of `holdDryRun`. Absent where it does not switch. */
export const HOLD_RULES_VARIABLE = 'DRAINSHIFT_HOLD_RULES';
