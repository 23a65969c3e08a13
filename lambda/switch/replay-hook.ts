import { findUnreplayable } from '../../core/capture/capture-gate';
import { addCaptures } from '../../core/capture/capture-report';
import { ReplayLimits, describeDiffering, describeRequest, findReplayGaps } from '../../core/replay/replay-gate';
import { ReplayPlan, findReplay, findReplayHook, replayLimits } from '../../core/plan/replay-plan';
import type { ReplayStatus } from '../../core/replay/replay-status';
import type { Side } from '../../core/traffic/weights';
import type { Ports } from '../contract/ports';
import { settle, settleWithin } from '../contract/settle';
import type { TaskSession } from '../contract/switch-ports';
import type { Carried } from '../state/carrier';
import { passPart } from './hook-parts';
import { HookContext, SwitchHook, Way, openHook } from './switch-hook';

/** Between two looks at what a replay says. */
const POLL_MS = 100;
/** Nothing waits for it yet. */
const STATUS_MS = 3_000;

export type ReplayMeans = Pick<Ports, 'replays' | 'functions' | 'now' | 'pause'> & { readonly host: string };

interface Recorded extends Carried {
  /** What the proxies say of their records. */
  readonly found?: Pick<ReplayLimits, 'store' | 'lost'>;
}

/**
 * What the side that is left has served is replayed on the other one. In the hold nothing is in flight: what the proxies have recorded
 * is all that there is, and the replay says when the last of it is finished. Then both sides must have one digest.
 */
export class ReplayHook implements SwitchHook {
  /** The side that is left could still write by itself. */
  readonly fences = false;
  readonly thawMs = 0;
  private readonly verifying: SwitchHook;

  constructor(
    private readonly plan: ReplayPlan,
    private readonly name: string,
    private readonly means: ReplayMeans,
  ) {
    this.verifying = openHook(findReplayHook(plan), means);
  }

  async begin({ to }: Way): Promise<void> {
    const why = await findBehind(this.plan, to, this.means);
    if (why) throw new Error(why.message);
  }

  async run(context: HookContext): Promise<void> {
    const limitMs = this.plan.timeoutMs.transfer;
    await passPart('transfer', context.to, context, async (): Promise<Carried> => {
      const endMs = this.means.now() + limitMs;
      const ended = await settleWithin(limitMs + STATUS_MS, this.subject, () => this.catchUp(context, endMs));
      return 'problem' in ended ? ended : ended.value;
    });
    try {
      await this.verifying.run(context);
    } catch (error) {
      throw await this.explain(error as Error);
    }
  }

  /** With the first write that had another outcome: the digests may differ by it. */
  private async explain(error: Error): Promise<Error> {
    const { replays } = this.means;
    const read = await settleWithin(STATUS_MS, `the status of the replay '${this.name}'`, () =>
      replays.status(this.name),
    );
    const reason = 'value' in read && read.value ? describeDiffering(read.value) : undefined;
    return reason === undefined ? error : new Error(`${error.message}; ${reason}`, { cause: error });
  }

  thaw(): Promise<undefined> {
    return Promise.resolve(undefined);
  }

  private get subject(): string {
    return `the rest of the replay '${this.name}'`;
  }

  /** @param endMs as `now` counts */
  private async catchUp({ to, epoch, execution, sessions }: HookContext, endMs: number): Promise<Carried> {
    const { plan, name, means } = this;
    const recorded = await this.waitForRecords(sessions, endMs);
    if (recorded.problem !== undefined) return recorded;
    const limits = { ...replayLimits(plan, to), ...recorded.found };
    const asked = sessions().length;
    const order = `${execution}.${epoch}`;
    await means.replays.order(name, { catchUp: order });
    let status: ReplayStatus | undefined;
    do {
      await means.pause(POLL_MS);
      // One that cannot be read is read again.
      const read = await settle(() => means.replays.status(name));
      if ('value' in read) status = read.value;
      if (status?.caughtUp !== order) continue;
      const [gap] = findReplayGaps(name, status, limits, means.now());
      if (gap) return { problem: gap.message };
      // A task that did not respond before the order may have had records of its own.
      if (sessions().length !== asked)
        return { problem: 'the same proxies must respond before and behind the replay, got others' };
      const { problem } = await this.waitForRecords(sessions, means.now());
      return problem === undefined ? {} : { problem };
    } while (means.now() < endMs);
    const got = status
      ? `one that has sent ${status.sent} requests and is ${Math.round(status.lagMs / 1000)} s behind`
      : 'no word of it';
    const missing = status?.oldest ? `; ${describeRequest(status.oldest)} is the first that is missing` : '';
    const away = status?.outage ? `; the ${to} gives no response: ${status.outage.problem}` : '';
    return {
      problem: `${this.subject} must end within ${plan.timeoutMs.transfer} ms, got ${got}${missing}${away}`,
    };
  }

  /** @returns the store, or why what was served is not all in it */
  private async waitForRecords(sessions: () => readonly TaskSession[], endMs: number): Promise<Recorded> {
    for (;;) {
      const reports = await Promise.all(sessions().map((session) => settle(() => session.report())));
      const captures = reports.map((each) => ('value' in each ? each.value.capture : undefined));
      if (captures.length === 0 || captures.includes(undefined))
        return { problem: 'every proxy must record its traffic, and say what it has recorded, got one that does not' };
      const known = captures.map((capture) => capture!);
      const problem = findUnreplayable(known);
      if (problem !== undefined) return { problem };
      const { unrecorded, pendingBytes, store, lost } = known.reduce(addCaptures);
      if (unrecorded > 0)
        return {
          problem: `the proxies must have forwarded no request without a record since their start, got ${unrecorded}`,
        };
      if (pendingBytes === 0) return { found: { lost, ...(store !== undefined && { store }) } };
      if (this.means.now() >= endMs)
        return {
          problem: `all records must be in the store before the decision, got ${pendingBytes} bytes that are not`,
        };
      await this.means.pause(POLL_MS);
    }
  }
}

/** Why requests must not be held yet for a switch to this side; `isLasting`: waiting does not help. */
export async function findBehind(
  plan: ReplayPlan,
  to: Side,
  { replays, now }: Pick<Ports, 'replays' | 'now'>,
): Promise<{ readonly message: string; readonly isLasting: boolean } | undefined> {
  const name = findReplay(plan, to);
  if (name === undefined) return undefined;
  const read = await settleWithin(STATUS_MS, `the status of the replay '${name}'`, () => replays.status(name));
  if ('problem' in read) return { message: read.problem, isLasting: false };
  const gaps = findReplayGaps(name, read.value, replayLimits(plan, to), now());
  return gaps.find(({ isLasting }) => isLasting) ?? gaps[0];
}
