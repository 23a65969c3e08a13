import { isShortage } from '../contract/connect-failure';

/** What a trial of something showed. `untried`: nothing, neither that it works nor that it does not. */
export interface Verdict {
  readonly result: 'right' | 'wrong' | 'untried';
  /** Why it is not right. */
  readonly why?: string;
  /** It took too long, which is no more than a busy machine. */
  readonly isLate?: boolean;
}

/** The network or the machine was in the way: that says nothing of what was to be tried. */
const IN_THE_WAY: ReadonlySet<string> = new Set(['ECONNREFUSED', 'ECONNRESET', 'ETIMEDOUT', 'EACCES', 'EPERM']);

const FIRST_PAUSE_MS = 1_000;
const MAX_PAUSE_MS = 300_000;

/**
 * Tries something of this process at its start. A wrong result is one for ever; a trial that comes to no result, as on a machine
 * that is too busy, is repeated later and later, and says so meanwhile.
 */
export class SelfCheck {
  verdict: Verdict = { result: 'untried', why: 'it was not tried yet' };
  private first: Promise<void> | undefined;
  private pauseMs = FIRST_PAUSE_MS;
  private readonly watchers = new Set<(verdict: Verdict) => void>();

  /** @param attempt that ends by itself, whatever happens */
  constructor(
    private readonly attempt: () => Promise<Verdict>,
    private readonly after: (ms: number, call: () => void) => void = (ms, call) => void setTimeout(call, ms).unref(),
  ) {}

  /** Resolves when the first attempt has ended, with whatever result. */
  start(): Promise<void> {
    return (this.first ??= this.try());
  }

  /** Resolves when there is a result, or another reason than the time why there is none. */
  async settled(): Promise<Verdict> {
    await this.start();
    while (this.verdict.isLate === true) {
      await new Promise<void>((resolve) => {
        const end = this.watch(() => {
          end();
          resolve();
        });
      });
    }
    return this.verdict;
  }

  /** `told` is called with each verdict from now on that is another one than before. @returns ends it */
  watch(notified: (verdict: Verdict) => void): () => void {
    this.watchers.add(notified);
    return () => void this.watchers.delete(notified);
  }

  private async try(): Promise<void> {
    const before = this.verdict;
    this.verdict = await this.attempt().catch(reachVerdict);
    const { result, why } = this.verdict;
    if (result !== before.result || why !== before.why) for (const notified of this.watchers) notified(this.verdict);
    if (result !== 'untried') return;
    this.after(this.pauseMs, () => void this.try());
    this.pauseMs = Math.min(MAX_PAUSE_MS, 2 * this.pauseMs);
  }
}

/** What several together say: one that is wrong, or else one that is untried. */
export function worstVerdict(checks: readonly SelfCheck[]): Verdict {
  const verdicts = checks.map(({ verdict }) => verdict);
  const find = (result: Verdict['result']) => verdicts.find((verdict) => verdict.result === result);
  return find('wrong') ?? find('untried') ?? { result: 'right' };
}

/** What an error of an attempt says. */
export function reachVerdict(error: unknown): Verdict {
  const { code = '', message } = error as NodeJS.ErrnoException;
  const isInTheWay = IN_THE_WAY.has(code) || isShortage({ code, why: message });
  return { result: isInTheWay ? 'untried' : 'wrong', why: message };
}

/** A trial that takes longer comes to no result: a busy machine is no proof of anything. */
export function withinTime(trial: Promise<Verdict>, limitMs: number): Promise<Verdict> {
  return new Promise((resolve, reject) => {
    const late: Verdict = { result: 'untried', why: `it came to no result within ${limitMs / 1000} s`, isLate: true };
    const timer = setTimeout(() => resolve(late), limitMs);
    trial.then(resolve, reject).finally(() => clearTimeout(timer));
  });
}
