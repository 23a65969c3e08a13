import {
  addArrivalsBack,
  beginArrivalsBack,
  describeArrivalsBack,
  describeNotInForce,
  findComparisonBack,
  judgeArrivalsBack,
  maySetAgain,
  orderArrivalsBack,
} from '../../core/cutover/arrivals-back';
import { ArrivalsBack, CutoverRun, RollbackRecord, note } from '../../core/cutover/run';
import { Comparison, areArrivalsKnown, sumSides } from '../../core/judge/comparison';
import { ROLLBACK_LOOKING_SECONDS } from '../../core/cutover/step-limits';
import { CONFIRM_POLL_SECONDS } from '../../core/plan/plan';
import { sameForward } from '../../core/traffic/forward';
import type { Ports } from '../contract/ports';
import { readRules } from '../shared/observe';
import { settleWithin } from '../contract/settle';
import { timeLeftMs } from '../contract/time-left';

/** Between two looks. */
const PAUSE_MS = 1_000;
/** A proxy that hangs is not waited for. */
const READ_MS = 2_000;
/** What a look, and setting the weights again, may take, and the rest of a step after it. */
const LOOK_MS = 16_000;

/**
 * What arrives once a rollback has set the weights, and they have read back. A side that is still given new requests, beyond those of its
 * returning clients and the time that weights take to spread, means that they are not in force: they are set again, twice at the most. Then
 * the rollback has failed, and a person is asked. Nothing of it delays the weights themselves.
 *
 * @param run that is restored; any other is returned as it is
 */
export async function proveBack(run: CutoverRun, ports: Ports): Promise<CutoverRun> {
  const record = run.rollback;
  const comparison = findComparisonBack(run);
  if (run.verdict !== 'restored' || !record?.hasSet || record.arrived !== undefined || !comparison) return run;
  if (!(await areOurs(run, ports))) return withArrivals(run, undefined, { arrived: CHANGED });
  const started = record.arrivals ? run : withArrivals(run, beginArrivalsBack(findRestoredMs(record)));
  return lookOn(started, comparison, ports);
}

function findRestoredMs({ restoredAt, startedAt }: RollbackRecord): number {
  return Date.parse(restoredAt ?? startedAt);
}

/** For as long as a step that looks again and again; the next call goes on from there. */
async function lookOn(started: CutoverRun, comparison: Comparison, ports: Ports): Promise<CutoverRun> {
  const untilMs = ports.now() + ROLLBACK_LOOKING_SECONDS * 1000;
  let run = started;
  while (run.rollback?.arrivals) {
    const arrivals = await look(run, run.rollback.arrivals, comparison, ports);
    const verdict = judgeArrivalsBack(arrivals, ports.now());
    if (verdict === 'wait') run = withArrivals(run, arrivals);
    else if (verdict === 'notInForce') run = await setAgain(run, arrivals, ports);
    else run = withArrivals(run, undefined, { arrived: describeArrivalsBack(arrivals) });
    if (!run.rollback?.arrivals) break;
    if (ports.now() >= untilMs || timeLeftMs() < LOOK_MS) {
      return { ...run, verdict: 'wait', waitSeconds: CONFIRM_POLL_SECONDS };
    }
    await ports.pause(PAUSE_MS);
  }
  return run;
}

async function look(
  run: CutoverRun,
  arrivals: ArrivalsBack,
  comparison: Comparison,
  ports: Ports,
): Promise<ArrivalsBack> {
  const order = orderArrivalsBack(arrivals, comparison, run, ports.now());
  if (order.until <= order.after) return arrivals;
  const read = async (side: 'source' | 'target') =>
    settleWithin(READ_MS, `reading the tasks of the ${side}`, () => ports.proxies.tasks(side, order));
  const [source, target] = await Promise.all([read('source'), read('target')]);
  if (!('value' in source && 'value' in target)) return addArrivalsBack(arrivals, undefined, order, run);
  const tasks = { source: source.value, target: target.value };
  return addArrivalsBack(arrivals, areArrivalsKnown(tasks) ? sumSides(tasks) : undefined, order, run);
}

const CHANGED = 'another caller has set other weights since they were read back';

/** Whether the weights read back as this rollback has set them. */
async function areOurs({ intended }: CutoverRun, ports: Ports): Promise<boolean> {
  if (!intended) return false;
  const rules = await readRules(ports, (forward) => sameForward(forward, intended));
  const own = rules.find(({ arn }) => arn === ports.loadBalancer.ruleArn)?.forward;
  return own !== undefined && sameForward(own, intended);
}

/** Unless another caller has set other weights since, or holds the lock: then they are that caller's. */
async function setAgain(run: CutoverRun, arrivals: ArrivalsBack, ports: Ports): Promise<CutoverRun> {
  const { loadBalancer, store, now } = ports;
  const because = describeArrivalsBack(arrivals);
  if (!maySetAgain(arrivals)) return giveUp(run, arrivals);
  const [isSame, holder] = await Promise.all([
    areOurs(run, ports),
    settleWithin(READ_MS, 'reading the lock', () => store.holder()),
  ]);
  const isHeld = 'problem' in holder || holder.value?.execution === run.execution;
  if (!isSame || !isHeld) return withArrivals(run, undefined, { arrived: CHANGED });
  await loadBalancer.setForward(run.intended!);
  const again = withArrivals(run, beginArrivalsBack(now(), arrivals.timesSet + 1));
  return note(again, now(), 'Rollback', { setAgain: arrivals.timesSet + 1, because });
}

/** It is not restored, whatever has read back. */
function giveUp(run: CutoverRun, arrivals: ArrivalsBack): CutoverRun {
  const message = describeNotInForce(arrivals, run);
  const failed = withArrivals(run, undefined, { arrived: describeArrivalsBack(arrivals), restoredAt: undefined });
  return { ...failed, error: { Error: 'RollbackNotConfirmed', Cause: message } };
}

function withArrivals(
  run: CutoverRun,
  arrivals: ArrivalsBack | undefined,
  more: Pick<Partial<RollbackRecord>, 'arrived'> & { readonly restoredAt?: undefined } = {},
): CutoverRun {
  return { ...run, rollback: { ...run.rollback!, arrivals, ...more } };
}
