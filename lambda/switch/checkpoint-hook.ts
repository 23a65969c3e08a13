import type { CheckpointPlan, StatePlan } from '../../core/plan/state-plan';
import type { CheckpointAction } from '../../core/state/checkpoint';
import { findDifference, readHookResponse } from '../../core/switch/hook';
import type { Side } from '../../core/traffic/weights';
import { settleWithin } from '../contract/settle';
import { callThroughTasks } from '../state/backend-order';
import type { Carried } from '../state/carrier';
import { HostCall, HostMeans, callHost } from '../state/hosts';
import { notePart, passPart } from './hook-parts';
import type { HookContext, SwitchHook } from './switch-hook';

export interface CheckpointHookMeans extends HostMeans {
  /** The name that clients use: the Host of calls over HTTP. */
  readonly host: string;
}

interface Plan extends StatePlan {
  readonly checkpoint: CheckpointPlan;
}

/** What was dumped; `nothing`: the side that is switched to goes on with the memory that it was left with. */
export type DumpedCopy = 'nothing' | { readonly id: string };

const THAW_ATTEMPTS = 3;
const THAW_PAUSE_MS = 200;
const DISCARD_MS = 8_000;
const ASK_PAUSE_MS = 10;
const NO_COPY = 'none';

/**
 * The memory of the application goes along. The processes that were dumped stay stopped where they are: behind an abort they go on, and
 * nothing of them was lost. Behind a commit they stay so.
 */
export class CheckpointHook implements SwitchHook {
  /** Nothing can be written by what is stopped, and no write is rejected. */
  readonly fences = false;
  readonly replaces = true;
  readonly thawMs: number;

  /** @param copied absent of a switch that another call had begun: nothing is committed without its copy */
  constructor(
    private readonly plan: Plan,
    private readonly means: CheckpointHookMeans,
    private readonly copied?: DumpedCopy,
  ) {
    this.thawMs = THAW_ATTEMPTS * (plan.timeoutMs.thaw + THAW_PAUSE_MS);
  }

  async run(context: HookContext): Promise<void> {
    const { from, to } = context;
    const { copied } = this;
    if (!copied) throw new Error('the copy must be known, got a switch that another call had begun');
    if (copied === 'nothing') {
      // What is left has the last state of its clients: nothing of it may go on beside the other.
      await this.do('freeze', from, context, (limitMs) => this.call('suspend', from, context, limitMs));
      await this.do('transfer', to, context, (limitMs) => this.call('resume', to, context, limitMs));
      await this.do('verify', to, context, async (limitMs) => {
        await this.waitForResponse(to, context, limitMs);
        return {};
      });
      return;
    }
    const digests: (string | undefined)[] = [];
    let dumped: Carried = {};
    await this.do('freeze', from, context, async (limitMs) => {
      digests.push(await this.askDigest(from, context, limitMs));
      dumped = await this.call('dump', from, context, limitMs);
      return this.checkSize(dumped);
    });
    await this.do('transfer', to, context, async (limitMs) => {
      const restored = await this.call('restore', to, context, limitMs);
      if (restored.problem !== undefined || restored.bytes === dumped.bytes) return restored;
      return { problem: `the images must have ${dumped.bytes} bytes on both hosts, got ${restored.bytes}` };
    });
    await this.do('verify', to, context, async (limitMs) => {
      await this.waitForResponse(to, context, limitMs);
      digests.push(await this.askDigest(to, context, limitMs));
      const problem = findDifference(digests);
      return problem === undefined ? {} : { problem };
    });
  }

  /** What was restored is at work already. */
  async thaw(side: Side, context: HookContext): Promise<string | undefined> {
    if (side === context.to) return undefined;
    const [{ problem }] = await Promise.all([
      notePart('thaw', side, context, () => this.resume(side, context)),
      // A copy that is at work beside it stops as soon. Where it does not, it is discarded all the same.
      this.copied === 'nothing' ? undefined : this.undo('suspend', context.to, context, this.plan.timeoutMs.thaw),
    ]);
    return problem;
  }

  /** A call that was accepted is followed for as long as there is time: another one would wait behind it. */
  private async resume(side: Side, context: HookContext): Promise<Carried> {
    const { thaw } = this.plan.timeoutMs;
    const endMs = this.means.now() + THAW_ATTEMPTS * thaw;
    for (let attempt = 1; ; attempt += 1) {
      const resumed = await this.undo('resume', side, context, endMs - this.means.now());
      const hasTime = endMs - this.means.now() > thaw / 2;
      if (resumed.problem === undefined || attempt === THAW_ATTEMPTS || !hasTime) return resumed;
      await this.means.pause(THAW_PAUSE_MS);
    }
  }

  async discard(context: HookContext): Promise<string | undefined> {
    const { to } = context;
    const { problem } = await notePart('discard', to, context, () => this.undo('discard', to, context, DISCARD_MS));
    return problem;
  }

  /** On the way to the decision. */
  private call(action: CheckpointAction, side: Side, context: HookContext, limitMs: number): Promise<Carried> {
    context.signal.throwIfAborted();
    return this.order({ action, side, isBehind: false }, context, limitMs);
  }

  /** Behind the decision. */
  private undo(action: CheckpointAction, side: Side, context: HookContext, limitMs: number): Promise<Carried> {
    return this.order({ action, side, isBehind: true }, context, limitMs);
  }

  private async order(
    call: Pick<HostCall, 'action' | 'side' | 'isBehind'>,
    { epoch }: HookContext,
    limitMs: number,
  ): Promise<Carried> {
    const { copied } = this;
    const copy = copied && copied !== 'nothing' ? copied.id : NO_COPY;
    const response = await callHost(this.plan.checkpoint, { ...call, copy, epoch }, limitMs, this.means);
    if ('problem' in response) return response;
    return response.bytes === undefined ? {} : { bytes: response.bytes };
  }

  private checkSize(dumped: Carried): Carried {
    const { maxBytes } = this.plan;
    if (dumped.problem === undefined && !dumped.bytes) return { problem: 'a dump must have images, got none' };
    if (dumped.problem !== undefined || (dumped.bytes ?? 0) <= maxBytes) return dumped;
    return { ...dumped, problem: `at most ${maxBytes} bytes may be copied, got ${dumped.bytes}` };
  }

  /** Any response will do: right before the decision the one of the plan is asked for. */
  private async waitForResponse(to: Side, { sessions, signal }: HookContext, limitMs: number): Promise<void> {
    const endMs = this.means.now() + limitMs;
    for (;;) {
      const [task] = sessions();
      const order = { to, path: '/', host: this.means.host, isOfBackendAlone: true };
      const asked = await settleWithin(limitMs, `asking the ${to}`, async () => task?.probe(order));
      if ('value' in asked && asked.value?.status !== undefined) return;
      signal.throwIfAborted();
      if (this.means.now() > endMs) {
        const got = 'problem' in asked ? asked.problem : (asked.value?.upstreamProblem ?? 'no task to ask it through');
        throw new Error(`the application must respond once it is restored, got ${got}`);
      }
      await this.means.pause(ASK_PAUSE_MS);
    }
  }

  private async askDigest(side: Side, context: HookContext, timeoutMs: number): Promise<string | undefined> {
    const { verifyPath: path } = this.plan.checkpoint;
    if (path === undefined) return undefined;
    const { epoch, from, to, execution } = context;
    const made = { part: 'verify', side, epoch, from, to, execution } as const;
    const order = { method: 'POST', path, body: JSON.stringify(made), timeoutMs } as const;
    const { status, body = '', upstreamProblem } = await callThroughTasks(side, order, context, this.means.host);
    const read = status === 200 ? readHookResponse(made, parseJson(body)) : undefined;
    if (read && 'digest' in read) return read.digest;
    const got = read && 'problem' in read ? read.problem : (upstreamProblem ?? (read ? 'no digest' : `${status}`));
    throw new Error(`the ${side} must respond to POST ${path} with a digest, got ${got}`);
  }

  private async do(
    part: 'freeze' | 'transfer' | 'verify',
    side: Side,
    context: HookContext,
    work: (limitMs: number) => Promise<Carried>,
  ): Promise<void> {
    const limitMs = this.plan.timeoutMs[part];
    await passPart(part, side, context, async () => {
      const ended = await settleWithin(limitMs, `'${part}' of the memory`, () => work(limitMs));
      return 'problem' in ended ? ended : ended.value;
    });
  }
}

function parseJson(text: string): unknown {
  try {
    return JSON.parse(text) as unknown;
  } catch {
    return text;
  }
}
