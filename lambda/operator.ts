import { CloudFormationClient, DescribeStacksCommand } from '@aws-sdk/client-cloudformation';
import { PutObjectCommand, S3Client } from '@aws-sdk/client-s3';
import { describeKeptLock } from '../core/cutover/execution-look';
import { oneLine } from '../core/text/one-line';
import { LOCK_SECONDS, LockHolder, describeHolder } from '../core/traffic/lock';
import type { Moves } from '../core/moves/moves';
import { Side } from '../core/traffic/weights';
import { CutoverConfig, parseCutoverConfig } from '../core/cutover/cutover-config';
import type { IdentityPort, LoadBalancerPort } from './contract/ports';
import type { Unproven } from '../core/cutover/proof';
import type { Diagnosis } from '../core/cutover/readiness';
import type { DoctorCall } from './steps/doctor';
import type { HoldDryRunCall, HoldDryRunResult } from './steps/hold-dry-run';
import type { UndrainCall, Undrained } from './steps/undrain';
import type { Regime } from '../core/switch/regime';
import type { Statement } from '../core/approval/statement';
import type { LockPort, RulesPort } from './contract/weighted-rule-ports';
import { settle } from './contract/settle';
import { callFunction } from './adapters/call-function';
import { CLIENT_CONFIG } from './adapters/client/client-config';

import { ExecutionsPort, executionsPort } from './adapters/executions';
import { identityPort } from './adapters/identity';
import { limited } from './adapters/client/limited';
import { listenerRulesPort } from './adapters/load-balancer/listener-rules';
import { loadBalancerPort } from './adapters/load-balancer/load-balancer';
import { switchStorePort } from './adapters/store/switch-store';
import { lockPort } from './adapters/store/lock';
import { PersonStorePort, personStorePort } from './adapters/store/person-store';
import { signStatement } from './adapters/sign-statement';

export { callAdmin } from './adapters/proxies/admin-client';

/** What a person's command may do to a deployed cutover. Bundled for the command line, which brings no SDK of its own. */
export interface OperatorPorts {
  readonly loadBalancer: LoadBalancerPort;
  readonly lock: LockPort;
  /**
   * Lets the proxies of a side serve again, and looks whether the side serves.
   *
   * @param moves which of the connections that they carry move back; none by default
   * @returns undefined of a stack that was deployed before it had a function for it
   * @throws Error when the function fails, or may not be called
   */
  undrain(side: Side, moves?: Moves): Promise<Undrained | undefined>;
  /** Who holds the lock, for a message; of a cutover that has ended with it, how the lock is freed. */
  describeHeld(holder: LockHolder): Promise<string>;
}

/** @param warn is told of a lock that could not be given back */
export function operatorPorts(config: CutoverConfig, warn: (message: string) => void): OperatorPorts {
  const lock = lockPort(config.storeBucket, { seconds: LOCK_SECONDS.manual, warn });
  return {
    loadBalancer: loadBalancerPort(config),
    lock,
    undrain: (side, moves) => callUndrain(config, side, moves),
    describeHeld: (holder) => describeHeld(config, holder),
  };
}

async function describeHeld({ stateMachineArn, storeBucket }: CutoverConfig, holder: LockHolder): Promise<string> {
  const said = describeHolder(holder);
  // That of a person or a deployment ends by itself.
  if (stateMachineArn === undefined || holder.expiresAt !== undefined) return said;
  const look = await settle(() => executionsPort(stateMachineArn).look(holder.execution));
  const advice = 'value' in look && look.value && describeKeptLock(look.value, storeBucket);
  return advice ? `${said}, ${advice}` : said;
}

async function callUndrain(
  { undrainFunctionName }: CutoverConfig,
  side: Side,
  moves?: Moves,
): Promise<Undrained | undefined> {
  if (undrainFunctionName === undefined) return undefined;
  const call: UndrainCall = { side, ...(moves && { moves }) };
  return (await callFunction(undrainFunctionName, call, `undrain the ${side}`)) as Undrained;
}

/**
 * A dry run of a hold at every proxy task.
 *
 * @returns undefined of a stack that was deployed before it had a function for it
 * @throws Error when the function fails, or may not be called
 */
export async function dryRunHold(
  { holdDryRunFunctionName: name }: CutoverConfig,
  seconds: number,
): Promise<HoldDryRunResult | undefined> {
  if (name === undefined) return undefined;
  const call: HoldDryRunCall = { seconds };
  return (await callFunction(name, call, 'make a dry run of a hold')) as HoldDryRunResult;
}

/**
 * A preflight without a cutover.
 *
 * @param plan of that cutover; the deployed one, where it is undefined
 * @returns undefined of a stack that was deployed before it had a function for it
 * @throws Error when the function fails, or may not be called
 */
export async function diagnose(
  { doctorFunctionName: name }: CutoverConfig,
  { executions }: Pick<CutoverPorts, 'executions'>,
  plan: unknown,
): Promise<Diagnosis | undefined> {
  if (name === undefined) return undefined;
  const { defaultPlan, alarms } = await executions.deployed();
  const call: DoctorCall = { plan: plan ?? defaultPlan, ...(alarms && { alarms }) };
  return (await callFunction(name, call, 'say whether a cutover would be rejected')) as Diagnosis;
}

/** What `drainshift adopt` may do beside that. */
export interface AdoptionPorts extends OperatorPorts {
  readonly listenerArn: string;
  readonly rules: RulesPort;
  /** What speaks against giving a side requests; undefined where the deployment has no such function. */
  readonly prove?: (side: Side) => Promise<readonly Unproven[]>;
}

export function adoptionPorts(config: CutoverConfig, warn: (message: string) => void): AdoptionPorts {
  const { proofFunctionName: proof } = config;
  return {
    ...operatorPorts(config, warn),
    listenerArn: config.weightedListenerArn,
    // A person stops it between two calls.
    rules: listenerRulesPort(new AbortController().signal),
    ...(proof !== undefined && { prove: (side: Side) => askProof(proof, side) }),
  };
}

async function askProof(functionName: string, side: Side): Promise<readonly Unproven[]> {
  const proven = (await callFunction(functionName, { side }, `prove the ${side}`)) as {
    readonly unproven: readonly Unproven[];
  };
  return proven.unproven;
}

/** What `drainshift rollback` may do. */
export interface RollbackPorts extends Pick<OperatorPorts, 'describeHeld'> {
  readonly loadBalancer: LoadBalancerPort;
  readonly lock: LockPort;
  readonly executions: ExecutionsPort;
  readonly regime: () => Promise<Regime>;
}

/** What the commands that start, follow and stop cutovers may do. */
export interface CutoverPorts extends RollbackPorts {
  readonly store: PersonStorePort;
  /** The ARN of the caller, as STS reports; undefined where it cannot be asked. */
  readonly whoAmI: () => Promise<string | undefined>;
}

/** @returns undefined of a stack that was deployed before its output named the state machine */
export function cutoverPorts(config: CutoverConfig, warn: (message: string) => void): CutoverPorts | undefined {
  const { stateMachineArn, storeBucket } = config;
  if (stateMachineArn === undefined) return undefined;
  const { loadBalancer, lock, describeHeld: describe } = operatorPorts(config, warn);
  const regime = async () => (await switchStorePort(storeBucket).readRegime()).regime;
  const executions = executionsPort(stateMachineArn);
  return {
    loadBalancer,
    lock,
    executions,
    regime,
    describeHeld: describe,
    store: personStorePort(storeBucket),
    whoAmI: () => findCaller(config),
  };
}

/** A record of who started it is worth no failure. */
async function findCaller(config: CutoverConfig): Promise<string | undefined> {
  try {
    const region = await new S3Client(CLIENT_CONFIG).config.region();
    return await identityPort(config, region).findSigner(await signStatement('start'));
  } catch {
    return undefined;
  }
}

/** What `drainshift approve` may do. */
export interface ApprovalPorts {
  readonly storeBucket: string;
  /** Signs a statement as the caller. */
  readonly sign: (says: string) => Promise<Statement>;
  readonly identity: IdentityPort;
  readonly putResponse: (key: string, response: object) => Promise<void>;
}

export async function approvalPorts(config: CutoverConfig): Promise<ApprovalPorts> {
  const s3 = limited('S3', new S3Client(CLIENT_CONFIG));
  const { storeBucket: Bucket } = config;
  return {
    storeBucket: Bucket,
    sign: signStatement,
    identity: identityPort(config, await s3.config.region()),
    putResponse: async (Key, response) => {
      const Body = JSON.stringify(response);
      await s3.send(new PutObjectCommand({ Bucket, Key, Body, ContentType: 'application/json' }));
    },
  };
}

/** A person waits for it, who may be far from the region. */
const LOOK_UP_MS = 30_000;
const CONFIG_OUTPUT = /CutoverConfig[0-9A-F]{0,8}$/;

export interface FoundStack {
  /** Where it was looked for. */
  readonly region: string;
  /** By the key of the output that has their cutover config; undefined where there is no such stack. */
  readonly cutovers?: ReadonlyMap<string, CutoverConfig>;
}

/**
 * The cutovers of a stack.
 *
 * @throws Error when it may not be read
 */
export async function findCutoverConfigs(stackName: string): Promise<FoundStack> {
  const client = limited('CloudFormation', new CloudFormationClient(CLIENT_CONFIG), LOOK_UP_MS);
  const region = await client.config.region();
  try {
    return { region, cutovers: await readCutoverConfigs(client, stackName) };
  } catch (error) {
    const { name, message } = error as Error;
    if (name === 'ValidationError' && message.includes('does not exist')) return { region };
    throw error;
  }
}

async function readCutoverConfigs(
  client: CloudFormationClient,
  stackName: string,
): Promise<ReadonlyMap<string, CutoverConfig>> {
  const { Stacks = [] } = await client.send(new DescribeStacksCommand({ StackName: stackName }));
  // What is no response of CloudFormation, such as the page of a portal that wants a login, reads as one without a stack.
  if (Stacks.length === 0)
    throw new Error(`CloudFormation must respond with the stack '${stackName}', got a response without it`);
  const outputs = Stacks.flatMap(({ Outputs = [] }) => Outputs);
  return new Map(
    outputs
      .filter(({ OutputKey = '' }) => CONFIG_OUTPUT.test(OutputKey))
      .map(({ OutputKey = '', OutputValue }) => [OutputKey, readConfig(stackName, OutputKey, OutputValue)] as const),
  );
}

function readConfig(stackName: string, output: string, value: string | undefined): CutoverConfig {
  try {
    return parseCutoverConfig(value);
  } catch (error) {
    const got = oneLine(value ?? 'nothing', 200);
    throw new Error(`the output '${output}' of the stack '${stackName}' must be JSON, got ${got}`, { cause: error });
  }
}
