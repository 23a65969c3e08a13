import { PROTECTION_MINUTES, ProtectionOrder } from '../../core/proxy/task-protection';

/** The agent itself asks ECS, and responds within a few seconds. */
const RESPONSE_MS = 5_000;

interface AgentResponse {
  readonly protection?: { readonly ProtectionEnabled?: boolean };
  readonly failure?: { readonly Reason?: string; readonly Detail?: string | null };
  readonly error?: { readonly Code?: string; readonly Message?: string };
}

/**
 * Asks the ECS agent of this task to protect it from scale-in, or to protect it no more.
 *
 * @param agentUri what ECS gives a container as `ECS_AGENT_URI`
 * @throws Error with the reason when it is not confirmed
 * @see https://docs.aws.amazon.com/AmazonECS/latest/developerguide/task-scale-in-protection-endpoint.html
 */
export async function orderProtection(agentUri: string, order: ProtectionOrder, stopped: AbortSignal): Promise<void> {
  const isAsked = order === 'protect';
  const asked = { ProtectionEnabled: isAsked, ...(isAsked && { ExpiresInMinutes: PROTECTION_MINUTES }) };
  const response = await fetch(`${agentUri}/task-protection/v1/state`, {
    method: 'PUT',
    headers: { 'content-type': 'application/json' },
    body: JSON.stringify(asked),
    redirect: 'error',
    signal: AbortSignal.any([AbortSignal.timeout(RESPONSE_MS), stopped]),
  });
  const text = await response.text();
  // A rejection of ECS comes with status 200.
  const state = parse(text);
  if (response.ok && state.protection?.ProtectionEnabled === isAsked) return;
  throw new Error(formatReason(state) ?? `status ${response.status}`);
}

function parse(text: string): AgentResponse {
  try {
    return (JSON.parse(text) ?? {}) as AgentResponse;
  } catch {
    return {};
  }
}

function formatReason({ failure, error }: AgentResponse): string | undefined {
  const parts = failure ? [failure.Reason, failure.Detail] : [error?.Code, error?.Message];
  const said = parts.filter((part) => typeof part === 'string' && part !== '');
  return said.length > 0 ? said.join(': ') : undefined;
}
