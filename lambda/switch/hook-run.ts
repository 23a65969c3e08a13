import type { HookState } from '../../core/switch/coordinator';
import type { Outcome } from '../../core/switch/decision';
import type { HookCallRecord } from '../../core/switch/hook';
import type { Side } from '../../core/traffic/weights';
import { Settled, settle, settleWithin, unwrap } from '../contract/settle';
import type { HookContext, SwitchHook } from './switch-hook';

/** What the coordinator says of the switch. */
export type HookCall = Omit<HookContext, 'signal' | 'note'>;

/** For the response to a thaw, beyond its own time. */
const CALL_MS = 1_500;

/** The hook of one switch: what became of it, and what is still frozen. */
export class HookRun {
  state: HookState;
  /** Whether a write was shown to be rejected. */
  isFenced = false;
  /** The side that could not be thawed. */
  frozen: Side | undefined;
  /** The side at which state that was copied may be left. */
  left: Side | undefined;
  readonly calls: HookCallRecord[];
  private readonly stop = new AbortController();
  private ended: Settled<void> | undefined;
  /** The part that is at work. */
  private atWork: Promise<unknown> = Promise.resolve();

  /** @param prepared what came before the hold */
  constructor(
    private readonly hook: SwitchHook | undefined,
    prepared?: HookCallRecord,
  ) {
    this.calls = prepared ? [prepared] : [];
    this.state = hook ? 'pending' : 'none';
  }

  get fences(): boolean {
    return this.hook?.fences ?? false;
  }

  get replaces(): boolean {
    return this.hook?.replaces ?? false;
  }

  get thawMs(): number {
    return this.hook?.thawMs ?? 0;
  }

  get hasEnded(): boolean {
    return this.ended !== undefined;
  }

  /** @param notify called when it has ended, or its time has passed */
  async run(call: HookCall, limitMs: number, notify: () => void): Promise<void> {
    const calling = settle(() => this.hook!.run(this.buildContext(call)));
    this.atWork = calling;
    this.ended = await settleWithin(limitMs, 'the hook', async () => unwrap(await calling));
    notify();
  }

  /** Nothing of it goes on. @returns why it did not pass, where that is known */
  finish(): string | undefined {
    const { ended } = this;
    this.state = ended && 'value' in ended ? 'passed' : 'failed';
    this.isFenced = this.state === 'passed' && this.fences;
    this.stop.abort();
    return ended && 'problem' in ended ? ended.problem : undefined;
  }

  /**
   * An abort before the hook has begun leaves nothing frozen.
   *
   * @param isResumed whether another call has begun the switch, and may have run the hook
   */
  mustThaw(outcome: Outcome, isResumed: boolean): boolean {
    return this.thawMs > 0 && (outcome === 'commit' || isResumed || this.state !== 'pending');
  }

  /**
   * Thaws the side that serves from now on, before any request goes to it. A freeze that is still on its way must not come behind
   * its thaw.
   */
  async thaw(outcome: Outcome, call: HookCall): Promise<void> {
    const { hook, thawMs } = this;
    if (!hook) return;
    const side = outcome === 'commit' ? call.to : call.from;
    await settleWithin(thawMs, 'the hook', () => this.atWork);
    const thawed = await settleWithin(thawMs + CALL_MS, 'the thaw', () => hook.thaw(side, this.buildContext(call)));
    const problem = 'problem' in thawed ? thawed.problem : thawed.value;
    this.frozen = problem === undefined ? undefined : side;
  }

  /** Behind an abort, when no request waits any more. */
  async discard(call: HookCall): Promise<void> {
    const { hook } = this;
    if (!hook?.discard) return;
    // What is still on its way would come behind it.
    await settleWithin(CALL_MS, 'the hook', () => this.atWork);
    const problem = await hook.discard(this.buildContext(call));
    this.left = problem === undefined ? undefined : call.to;
  }

  private buildContext(call: HookCall): HookContext {
    return { ...call, signal: this.stop.signal, note: (made) => void this.calls.push(made) };
  }
}
