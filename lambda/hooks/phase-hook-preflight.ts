import type { CutoverRun } from '../../core/cutover/run';
import type { PhaseHook } from '../../core/plan/phase-hooks';
import type { Ports } from '../contract/ports';
import { settleWithin } from '../contract/settle';
import type { Finding } from '../switch/switch-preflight';
import { callBackend } from './call-hook';

const CHECK_MS = 6_000;
/** A path that is not there. What else responds to OPTIONS is a server's own matter. */
const NOT_FOUND = 404;

/** Whether each hook of a plan can be called, before anything moves: none is. A backend and a URL are sent an OPTIONS. */
export async function phaseHookFindings(run: CutoverRun, ports: Ports): Promise<Finding[]> {
  const found = await Promise.all(
    (run.plan.hooks ?? []).map(async (hook) => {
      const checked = await settleWithin(CHECK_MS, 'it', () => check(hook, run, ports));
      const message = `the hook '${hook.name}' must be callable, got ${'problem' in checked ? checked.problem : ''}`;
      return 'problem' in checked ? [{ code: 'HookFailed' as const, message }] : [];
    }),
  );
  return found.flat();
}

/** @throws Error with the reason why it cannot be called */
async function check({ functionArn, http, url }: PhaseHook, run: CutoverRun, ports: Ports): Promise<void> {
  if (functionArn !== undefined) return ports.functions.check(functionArn);
  const order = { method: 'OPTIONS', timeoutMs: CHECK_MS } as const;
  const { status } =
    url === undefined
      ? await callBackend(http!, order, { run, ports, timeoutMs: CHECK_MS })
      : await ports.urls.send(url, order);
  if (status === NOT_FOUND) throw new Error(`${status} to OPTIONS ${url ?? http!.path}`);
}
