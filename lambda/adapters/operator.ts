import { CloudFormationClient, DescribeStacksCommand } from '@aws-sdk/client-cloudformation';
import { LOCK_SECONDS } from '../../core/lock';
import { Side } from '../../core/weights';
import { CutoverWiring, parseWiring } from '../../core/wiring';
import type { LoadBalancerPort } from '../ports';
import type { Unproven } from '../../core/proof';
import type { UndrainCall, Undrained } from '../steps/undrain';
import type { LockPort, RulesPort } from '../weighted-rule/ports';
import { callFunction } from './call-function';
import { CLIENT_CONFIG } from './client-config';
import { listenerRulesPort } from './listener-rules';
import { loadBalancerPort } from './load-balancer';
import { lockPort } from './lock';

/** What a person's command may do to a deployed cutover. Bundled for the command line, which brings no SDK of its own. */
export interface OperatorPorts {
  readonly loadBalancer: LoadBalancerPort;
  readonly lock: LockPort;
  /**
   * Lets the proxies of a side serve again, and looks whether the side serves.
   *
   * @returns undefined of a stack that was deployed before it had a function for it
   * @throws Error when the function fails, or may not be called
   */
  undrain(side: Side): Promise<Undrained | undefined>;
}

/** @param warn is told of a lock that could not be given back */
export function operatorPorts(wiring: CutoverWiring, warn: (message: string) => void): OperatorPorts {
  const lock = lockPort(wiring.storeBucket, { seconds: LOCK_SECONDS.manual, warn });
  return { loadBalancer: loadBalancerPort(wiring), lock, undrain: (side) => callUndrain(wiring, side) };
}

async function callUndrain({ undrainFunctionName }: CutoverWiring, side: Side): Promise<Undrained | undefined> {
  if (undrainFunctionName === undefined) return undefined;
  const call: UndrainCall = { side };
  return (await callFunction(undrainFunctionName, call, `undrain the ${side}`)) as Undrained;
}

/** What `drainshift adopt` may do beside that. */
export interface AdoptionPorts extends OperatorPorts {
  readonly listenerArn: string;
  readonly rules: RulesPort;
  /** What speaks against giving a side requests; undefined where the deployment has no such function. */
  readonly prove?: (side: Side) => Promise<readonly Unproven[]>;
}

export function adoptionPorts(wiring: CutoverWiring, warn: (message: string) => void): AdoptionPorts {
  const { proofFunctionName: proof } = wiring;
  return {
    ...operatorPorts(wiring, warn),
    listenerArn: wiring.weightedListenerArn,
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

const WIRING_OUTPUT = /CutoverWiring[0-9A-F]{0,8}$/;

/**
 * The cutovers of a stack, by the key of the output that has their wiring.
 *
 * @throws Error when there is no such stack, or it may not be read
 */
export async function findWirings(stackName: string): Promise<ReadonlyMap<string, CutoverWiring>> {
  const client = new CloudFormationClient(CLIENT_CONFIG);
  const { Stacks = [] } = await client.send(new DescribeStacksCommand({ StackName: stackName }));
  const outputs = Stacks.flatMap(({ Outputs = [] }) => Outputs);
  return new Map(
    outputs
      .filter(({ OutputKey = '' }) => WIRING_OUTPUT.test(OutputKey))
      .map(({ OutputKey = '', OutputValue }) => [OutputKey, parseWiring(OutputValue)] as const),
  );
}
