import { HookPlan, THAW_ATTEMPTS, hasPart } from '../../core/plan/hook-plan';
import {
  HookCall,
  HookCallRecord,
  HookResponse,
  findDifference,
  isRejectedWrite,
  readHookResponse,
} from '../../core/switch/hook';
import type { BackendCallReport } from '../../core/proxy/backend-call';
import type { Side } from '../../core/traffic/weights';
import type { FunctionsPort } from '../contract/ports';
import { settleWithin } from '../contract/settle';
import { BackendOrder, callThroughTasks } from '../state/backend-order';
import type { Carried, Carrier, CarryContext } from '../state/carrier';

/** Of the switch that a hook is called for. */
export interface HookContext extends CarryContext {
  readonly execution: string;
  /** No further part is begun after it. */
  readonly signal: AbortSignal;
  readonly note: (call: HookCallRecord) => void;
}

/** Of the attempt that comes. */
export type Way = Pick<HookContext, 'from' | 'to' | 'execution'>;

/** The state hook of a switch. */
export interface SwitchHook {
  /** Whether it freezes the side that is left, and shows it by a write that is rejected. */
  readonly fences: boolean;
  /** The longest that a thaw takes, with all its attempts. */
  readonly thawMs: number;
  /** Whether what responds at the side that is switched to is another application behind it: what was asked before says nothing. */
  readonly replaces?: boolean;
  /**
   * Before the hold, right before the attempt: what can be done early and not be kept from one call of a step to the next.
   *
   * @throws Error when requests must not be held
   */
  begin?(way: Way, limitMs: number): Promise<void>;
  /** Behind the attempt: nothing of what was begun goes on. */
  close?(): Promise<void>;
  /**
   * Freezes the side that is left, shows it, and takes along what must go along.
   *
   * @throws Error when a part failed, took too long, or responded with something else than a hook does
   */
  run(context: HookContext): Promise<void>;
  /**
   * Before a side serves, after either decision; it may never have been frozen. Tried again.
   *
   * @returns why it did not succeed
   */
  thaw(side: Side, context: HookContext): Promise<string | undefined>;
  /**
   * Behind an abort: nothing of what was carried stays at the side that was to be switched to. Absent where nothing is carried.
   *
   * @returns why it did not succeed
   */
  discard?(context: HookContext): Promise<string | undefined>;
}

export interface HookMeans {
  readonly functions: FunctionsPort;
  /** The name that clients use: the Host of calls over HTTP. */
  readonly host: string;
  pause(milliseconds: number): Promise<void>;
}

/** For the way to a task and back. */
const WAY_MS = 600;
const THAW_PAUSE_MS = 200;
/** Nothing waits for it but the record. */
const DISCARD_MS = 3_000;

/** What a hook has that takes state along. */
export interface HookState {
  /** @default - the parts of the hook itself */
  readonly carrier?: Carrier;
  /** The path that is called by DELETE. @default - a function is called */
  readonly discardPath?: string;
}

/** @param state of a hook that takes state along */
export function openHook(plan: HookPlan, means: HookMeans, state?: HookState): SwitchHook {
  const hook = new PlannedHook(plan, means, state);
  return state ? Object.assign(hook, { discard: (context: HookContext) => hook.callDiscard(context) }) : hook;
}

/** The parts that a plan has a limit for. */
type CalledPart = 'freeze' | 'transfer' | 'verify' | 'thaw';

class PlannedHook implements SwitchHook {
  readonly fences: boolean;
  readonly thawMs: number;

  constructor(
    private readonly plan: HookPlan,
    private readonly means: HookMeans,
    private readonly state?: HookState,
  ) {
    this.fences = hasPart(plan, 'freeze') && plan.probeWrite !== undefined;
    const once = plan.timeoutMs.thaw + WAY_MS + THAW_PAUSE_MS;
    this.thawMs = hasPart(plan, 'thaw') ? THAW_ATTEMPTS * once : 0;
  }

  async run(context: HookContext): Promise<void> {
    const { from, to } = context;
    await this.callAll('freeze', [from], context);
    await this.probeWrite(context);
    const carrier = this.state?.carrier;
    if (carrier) {
      await this.carry('transfer', carrier, context);
      await this.carry('verify', carrier, context);
      return;
    }
    await this.callAll('transfer', [to], context);
    await this.callAll('verify', this.plan.http ? [from, to] : [to], context);
  }

  async thaw(side: Side, context: HookContext): Promise<string | undefined> {
    if (!hasPart(this.plan, 'thaw')) return undefined;
    for (let attempt = 1; ; attempt += 1) {
      const { problem } = await this.call('thaw', side, context, attempt - 1);
      if (problem === undefined || attempt === THAW_ATTEMPTS) return problem;
      await this.means.pause(THAW_PAUSE_MS);
    }
  }

  async callDiscard(context: HookContext): Promise<string | undefined> {
    const { discardPath: path } = this.state ?? {};
    const { to: side, epoch, from, to, execution } = context;
    const made: HookCall = { part: 'discard', side, epoch, from, to, execution };
    const order = path === undefined ? undefined : ({ method: 'DELETE', path, timeoutMs: DISCARD_MS } as const);
    const { problem } = await this.noted('discard', side, context, async (): Promise<Carried> => {
      const ended = await settleWithin<Carried>(DISCARD_MS + WAY_MS, `'discard' of the ${side}`, async () => {
        if (!order) return findProblem(await this.invoke(made));
        const { status, upstreamProblem } = await this.ask(side, order, context, 0);
        if (status === 200) return {};
        return {
          problem: `'discard' of the ${side} must respond with 200, got ${status ?? upstreamProblem ?? 'nothing'}`,
        };
      });
      return 'problem' in ended ? ended : ended.value;
    });
    return problem;
  }

  private async carry(part: 'transfer' | 'verify', carrier: Carrier, context: HookContext): Promise<void> {
    const limitMs = this.plan.timeoutMs[part];
    const { problem } = await this.noted(part, context.to, context, async (): Promise<Carried> => {
      const ended = await settleWithin(limitMs + WAY_MS, `'${part}' of the state`, () =>
        carrier[part](context, limitMs),
      );
      return 'problem' in ended ? ended : ended.value;
    });
    if (problem !== undefined) throw new Error(problem);
    context.signal.throwIfAborted();
  }

  private async callAll(
    part: Exclude<CalledPart, 'thaw'>,
    sides: readonly Side[],
    context: HookContext,
  ): Promise<void> {
    if (!hasPart(this.plan, part)) return;
    const called = await Promise.all(sides.map((side) => this.call(part, side, context)));
    const problem =
      called.find((each) => each.problem !== undefined)?.problem ?? findDifference(called.map(({ digest }) => digest));
    if (problem !== undefined) throw new Error(problem);
    context.signal.throwIfAborted();
  }

  private async call(
    part: CalledPart,
    side: Side,
    context: HookContext,
    first = 0,
  ): Promise<{ readonly digest?: string; readonly problem?: string }> {
    const { epoch, from, to, execution } = context;
    const made: HookCall = { part, side, epoch, from, to, execution };
    const ask = () => (this.plan.http ? this.post(made, context, first) : this.invoke(made));
    const limitMs = this.plan.timeoutMs[part] + WAY_MS;
    return this.noted(part, side, context, async () => {
      const ended = await settleWithin(limitMs, `'${part}' of the ${side}`, ask);
      return 'problem' in ended ? ended : ended.value;
    });
  }

  private async noted<T extends object>(
    part: HookCallRecord['part'],
    side: Side,
    { note }: HookContext,
    ask: () => Promise<T>,
  ): Promise<T> {
    const startedMs = performance.now();
    const ended = await ask();
    const problem = 'problem' in ended ? String(ended.problem) : undefined;
    const tookMs = Math.round(performance.now() - startedMs);
    note({ part, side, tookMs, ...findFigures(ended), ...(problem !== undefined && { problem }) });
    return ended;
  }

  private async invoke(made: HookCall): Promise<HookResponse> {
    const { functionArn, timeoutMs } = this.plan;
    const limitMs = made.part === 'discard' ? DISCARD_MS : timeoutMs[made.part as keyof typeof timeoutMs];
    return readHookResponse(made, await this.means.functions.invoke(functionArn!, made, limitMs));
  }

  private async post(made: HookCall, context: HookContext, first: number): Promise<HookResponse> {
    const part = made.part as keyof NonNullable<HookPlan['http']>;
    const path = this.plan.http![part]!;
    const order = { method: 'POST', path, body: JSON.stringify(made), timeoutMs: this.plan.timeoutMs[part] } as const;
    const response = await this.ask(made.side, order, context, first);
    const { status, body = '', upstreamProblem } = response;
    const name = `'${part}' of the ${made.side} (POST ${path})`;
    if (upstreamProblem !== undefined) return { problem: `${name}: ${upstreamProblem}` };
    const parsed = parseJson(body);
    // A failure may say why in the same words.
    const read = readHookResponse(made, parsed ?? body);
    if (status === 200 || ('problem' in read && isOwnWord(parsed))) return read;
    return { problem: `${name} must respond with 200, got ${status}` };
  }

  /** What it had in flight cannot write any more, once a write is rejected: its backend says it, and no one else. */
  private async probeWrite(context: HookContext): Promise<void> {
    const { probeWrite, timeoutMs } = this.plan;
    if (!probeWrite || !this.fences) return;
    const { from } = context;
    const { method, path } = probeWrite;
    const rule = `the ${from} must reject ${method} ${path} once it is frozen`;
    const ended = await this.noted('probeWrite', from, context, async () => {
      const order = { method, path, timeoutMs: timeoutMs.probeWrite };
      const ask = () => this.ask(from, order, context, 0);
      const asked = await settleWithin(timeoutMs.probeWrite + WAY_MS, `${method} ${path}`, ask);
      if ('problem' in asked) return { problem: `${rule}, got ${asked.problem}` };
      const { status, upstreamProblem } = asked.value;
      if (status !== undefined && isRejectedWrite(status)) return {};
      return { problem: `${rule}, got ${status ?? upstreamProblem ?? 'no response'}` };
    });
    if ('problem' in ended) throw new Error(ended.problem);
    context.signal.throwIfAborted();
  }

  private ask(to: Side, order: BackendOrder, context: HookContext, first: number): Promise<BackendCallReport> {
    return callThroughTasks(to, order, context, this.means.host, first);
  }
}

function findFigures({ bytes, keys, resumed }: Carried): Carried {
  return {
    ...(bytes !== undefined && { bytes }),
    ...(keys !== undefined && { keys }),
    ...(resumed !== undefined && resumed > 0 && { resumed }),
  };
}

function findProblem(response: HookResponse): Carried {
  return 'problem' in response ? { problem: response.problem } : {};
}

function parseJson(text: string): unknown {
  try {
    return JSON.parse(text) as unknown;
  } catch {
    return undefined;
  }
}

function isOwnWord(value: unknown): boolean {
  return typeof value === 'object' && value !== null && 'ok' in value && value.ok === false;
}
