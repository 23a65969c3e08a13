import type { CutoverRun } from '../../core/cutover/run';
import { PREPARE_LOOK_SECONDS } from '../../core/plan/looking';
import { CopyPlace, findPreparation } from '../../core/state/preparation';
import type { Ports } from '../contract/ports';
import { prepareByFunction } from './prepare-by-function';
import { prepareByHosts } from './prepare-by-hosts';
import { prepareByHttp } from './prepare-by-http';
import { prepareByReplica } from './prepare-by-replica';
import { prepareByStores } from './prepare-by-stores';
import type { Prepared } from './prepared';

/**
 * Begins the copy of the state before the hold, or follows it for some seconds: the side that is left serves meanwhile. What it has come to is
 * in the state of the cutover, so that the next call goes on.
 */
export async function prepareState(run: CutoverRun, place: CopyPlace, ports: Ports): Promise<Prepared> {
  const { state } = run.plan.switch ?? {};
  if (!state) return { kind: 'ready' };
  const { http, valkey, checkpoint, functionArn = '', prepareSeconds } = state;
  const preparation = findPreparation(run, place, ports.now());
  if (preparation.isReady) return { kind: 'ready', preparation };
  const limitMs = Date.parse(preparation.startedAt) + 1000 * prepareSeconds - ports.now();
  const { why } = preparation;
  const last = why === undefined ? '' : `; the last look: ${why}`;
  if (limitMs <= 0) return { kind: 'failed', preparation, why: `it must be made within ${prepareSeconds} s${last}` };
  const waitMs = Math.min(1000 * PREPARE_LOOK_SECONDS, limitMs);
  if (valkey?.method === 'replicate')
    return prepareByReplica({ run, plan: { ...state, valkey }, preparation, waitMs }, ports);
  if (valkey) return prepareByStores({ run, plan: { ...state, valkey }, preparation, waitMs }, ports);
  if (checkpoint) {
    return prepareByHosts({ run, plan: { ...state, checkpoint }, preparation, limitMs, waitMs }, ports);
  }
  return http
    ? prepareByHttp({ run, plan: { ...state, http }, preparation, limitMs, waitMs }, ports)
    : prepareByFunction({ run, functionArn, preparation, waitMs }, ports);
}
