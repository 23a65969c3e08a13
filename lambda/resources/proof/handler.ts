import { PROOF_VARIABLE, ProofOrder, Unproven } from '../../../core/cutover/proof';
import { SIDES, Side } from '../../../core/traffic/weights';
import { proofPorts } from '../../adapters/proof';
import { CustomResourceEvent, FunctionContext, ResourceResult, customResourceHandler } from '../custom-resource';
import type { ProofPorts } from '../../contract/proof-ports';
import { prove, waitForProof } from './prove';

/** What `drainshift adopt` asks. */
interface ProofRequest {
  readonly side: Side;
}

/**
 * In the network of the cutover, because the smoke requests are. CloudFormation waits for it before the rule is created; a
 * person's command asks it once before each step.
 */
export async function handler(event: CustomResourceEvent | ProofRequest, context: FunctionContext): Promise<unknown> {
  if ('ResponseURL' in event) return forDeployment(event, context);
  const { side } = event;
  if (!SIDES.includes(side)) throw new Error(`'side' must be source or target, got ${JSON.stringify(side)}`);
  return { unproven: await proveNow(side) };
}

const forDeployment = customResourceHandler(async (event, signal): Promise<ResourceResult> => {
  const { LogicalResourceId: name, PhysicalResourceId: physicalId = name, RequestType: request } = event;
  if (!joins(event)) return { physicalId, reason: `it has nothing to prove at this ${request}` };
  const { Sides } = event.ResourceProperties as { Sides?: unknown };
  const sides = SIDES.filter((side) => Array.isArray(Sides) && Sides.includes(side));
  await waitForProof(sides, buildOrder(), listPorts(), signal);
  const proxies = `the proxies of ${sides.join(' and ')}`;
  return { physicalId, reason: `${proxies} run at their minimum count, and responded to the smoke requests` };
});

/** A rule joins a listener when both are new to each other. */
function joins({ RequestType: request, ResourceProperties, OldResourceProperties }: CustomResourceEvent): boolean {
  if (request !== 'Update') return request === 'Create';
  const findListener = (properties: unknown) => (properties as { ListenerArn?: unknown } | undefined)?.ListenerArn;
  return findListener(ResourceProperties) !== findListener(OldResourceProperties);
}

async function proveNow(side: Side): Promise<readonly Unproven[]> {
  return prove(side, buildOrder(), listPorts());
}

let ports: ProofPorts | undefined;

function listPorts(): ProofPorts {
  return (ports ??= proofPorts(buildOrder()));
}

function buildOrder(): ProofOrder {
  const json = process.env[PROOF_VARIABLE];
  if (json === undefined) throw new Error(`'${PROOF_VARIABLE}' must be set, got nothing`);
  return JSON.parse(json) as ProofOrder;
}
