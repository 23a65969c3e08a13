import { setTimeout as pauseUntil } from 'node:timers/promises';
import { nextLine, startScript } from '../../load/script';
import type { Child } from '../../processes/children';
import type { Workplace } from '../../processes/workplace';
import type { Account } from '../account/account';
import type { Chance } from '../account/chance';
import { OUTAGE_ALLOWED } from '../account/faults';

/** After an outage connections that died in it are still being found out. */
const AFTERMATH_MS = 1500;

/** The soak's upstream, which is killed and comes back, or is stopped for a while. */
export class MortalUpstream {
  readonly #place: Workplace;
  readonly #account: Account;
  #child: Child | undefined;
  #port = 0;

  constructor(place: Workplace, account: Account) {
    this.#place = place;
    this.#account = account;
  }

  get port(): number {
    return this.#port;
  }

  async start(): Promise<void> {
    const { loadCores: cores, openFiles } = this.#place.placement;
    const script = startScript<{ port: number }>(
      this.#place,
      'soak/upstream/upstream',
      { port: this.#port },
      { cores, openFiles },
    );
    this.#port = (await nextLine(script)).port;
    this.#child = script.child;
  }

  /** Outages one after the other until `signal`; the upstream is there when this resolves. */
  async trouble(chance: Chance, signal: AbortSignal): Promise<void> {
    while (await waits(chance.between(3000, 9000), signal)) {
      const over = this.#account.excuse(OUTAGE_ALLOWED, AFTERMATH_MS);
      await (chance.share() < 0.5 ? this.#killed(chance) : this.#stopped(chance));
      over();
    }
  }

  async #killed(chance: Chance): Promise<void> {
    this.#account.count('upstream killed and started again');
    await this.#child?.kill();
    await pauseUntil(chance.between(0, 800));
    await this.start();
  }

  async #stopped(chance: Chance): Promise<void> {
    this.#account.count('upstream stopped for a while');
    this.#signal('SIGSTOP');
    await pauseUntil(chance.between(200, 3000));
    this.#signal('SIGCONT');
  }

  /** A process that could not be started has no id, and its signal would go to our own group. */
  #signal(signal: NodeJS.Signals): void {
    if (this.#child?.isRunning()) this.#child.process.kill(signal);
  }
}

/** @returns whether the time passed before `signal` */
export async function waits(ms: number, signal: AbortSignal): Promise<boolean> {
  return pauseUntil(ms, true, { signal }).catch(() => false);
}
