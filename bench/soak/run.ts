import { HOST } from '../processes/ports';
import type { Workplace } from '../processes/workplace';
import type { SoakOptions } from '../cli/options';
import { Account } from './account/account';
import { Chance } from './account/chance';
import type { ClientSetup } from './clients/client';
import { drainUnderLoad } from './drain';
import { holdNowAndThen } from './holds';
import { mixedLoad, nextId } from './clients/mix';
import { MortalUpstream } from './upstream/outages';
import { SoakedProxy } from './proxy/proxy';
import { megabytes, memoryBreaches, type Settled } from './account/verdict';

/** Of the clients, how many have TLS, and how many load a proxy that is drained. */
const TLS_SHARE = 1 / 3;
const DRAIN_SHARE = 1 / 4;

export interface SoakResult {
  readonly seed: number;
  readonly seconds: number;
  readonly proxies: readonly { readonly name: string; readonly settled: readonly Settled[] }[];
  readonly counts: Readonly<Record<string, number>>;
  readonly total: number;
  readonly breachCount: number;
  readonly breaches: readonly string[];
}

/** Puts mixed load with faults on our proxy, and stops now and then to look at what is left of it. */
export async function soak(
  place: Workplace,
  options: SoakOptions,
  progress: (line: string) => void,
): Promise<SoakResult> {
  const run = await SoakRun.start(place, options);
  const { account, proxies } = run;
  const cycleMs = (options.seconds * 1000) / options.cycles;
  // The first cycle warms up: what is compiled and allotted once is not growth.
  for (let cycle = 0; cycle <= options.cycles && run.isAlive; cycle += 1) {
    const before = account.total;
    await run.load(cycleMs, cycle);
    // What was leaked stays leaked, and every further cycle would wait for it.
    if (!run.isAlive || !(await run.becomesZero())) break;
    const memory = await run.readMemory(cycle > 0);
    const rate = Math.round((account.total - before) / (cycleMs / 1000));
    progress(
      `${cycle === 0 ? 'warm-up' : `cycle ${cycle}/${options.cycles}`}: ${rate} settled/s, ` +
        `${account.breachCount} breaches, resident ${memory.map(({ resident }) => megabytes(resident)).join(' and ')}`,
    );
  }
  await run.end();
  const { counts, total, breachCount, breaches } = account;
  const { seed, seconds } = options;
  return {
    ...{ seed, seconds, counts, total, breachCount, breaches },
    proxies: proxies.map(({ name, settled }) => ({ name, settled })),
  };
}

/** Two proxies that live through all of it, one of them with TLS, between an upstream that does not and one that does. */
class SoakRun {
  readonly account: Account;
  readonly proxies: readonly SoakedProxy[];
  readonly #chance: Chance;
  readonly #place: Workplace;
  readonly #options: SoakOptions;
  readonly #mortal: MortalUpstream;
  readonly #steady: MortalUpstream;

  private constructor(
    place: Workplace,
    options: SoakOptions,
    upstreams: Record<'mortal' | 'steady', MortalUpstream>,
    parts: Pick<SoakRun, 'account' | 'proxies'>,
  ) {
    this.#place = place;
    this.#options = options;
    this.#chance = new Chance(options.seed);
    this.#mortal = upstreams.mortal;
    this.#steady = upstreams.steady;
    this.account = parts.account;
    this.proxies = parts.proxies;
  }

  static async start(place: Workplace, options: SoakOptions): Promise<SoakRun> {
    const account = new Account();
    const upstreams = { mortal: new MortalUpstream(place, account), steady: new MortalUpstream(place, account) };
    await Promise.all([upstreams.mortal.start(), upstreams.steady.start()]);
    const settings = {
      ...{ upstream: formatUrl(upstreams.mortal), 'other-upstream': formatUrl(upstreams.steady) },
      ...{ 'propagation-seconds': 0, 'grace-period-seconds': 5 },
    };
    const { workers } = options;
    const proxies = [
      await SoakedProxy.start(place, { name: 'the proxy', isTls: false, workers, settings }),
      await SoakedProxy.start(place, { name: 'the proxy with TLS', isTls: true, workers, settings }),
    ];
    return new SoakRun(place, options, upstreams, { account, proxies });
  }

  get isAlive(): boolean {
    return this.proxies.every(({ child }) => child.isRunning());
  }

  /** Resolves when every client has finished what it began, and the upstream is there. */
  async load(ms: number, cycle: number): Promise<void> {
    const endMs = performance.now() + ms;
    const end = new AbortController();
    const trouble = [this.#mortal.trouble(this.#chance, end.signal)];
    const goesOn = () => performance.now() < endMs && this.isAlive;
    const loads = this.proxies.map((proxy) => {
      const account = this.account.at(proxy.name);
      const cloud = { ...this.#setup, account, door: proxy.door, goesOn, goaway: [] };
      trouble.push(holdNowAndThen(proxy, cloud, end.signal));
      return mixedLoad(cloud, this.#clients(proxy.door.isTls ? TLS_SHARE : 1 - TLS_SHARE));
    });
    await Promise.all([...loads, this.#drain(cycle % 2 === 1)]);
    end.abort();
    await Promise.all(trouble);
  }

  async becomesZero(): Promise<boolean> {
    const zeros = await Promise.all(this.proxies.map((proxy) => proxy.becomesZero(this.account)));
    return zeros.every(Boolean);
  }

  readMemory(isKept: boolean): Promise<Settled[]> {
    return Promise.all(
      this.proxies.map(async (proxy) => {
        const memory = await proxy.readMemory();
        if (isKept) proxy.settled.push(memory);
        return memory;
      }),
    );
  }

  async end(): Promise<void> {
    await Promise.all(this.proxies.map((proxy) => this.#endProxy(proxy)));
  }

  async #endProxy(proxy: SoakedProxy): Promise<void> {
    if (proxy.child.isRunning()) await proxy.checkLeftovers(this.account);
    await proxy.end(this.account);
    for (const breach of memoryBreaches(proxy.name, proxy.settled)) this.account.breachOfRun(breach);
  }

  get #setup(): Pick<ClientSetup, 'account' | 'chance' | 'nextId'> {
    return { account: this.account, chance: this.#chance, nextId };
  }

  #drain(isTls: boolean): Promise<void> {
    const order = { isTls, upstream: formatUrl(this.#steady), workers: this.#options.workers };
    return drainUnderLoad(this.#place, this.#setup, { ...order, clients: this.#clients(DRAIN_SHARE) });
  }

  #clients(share: number): number {
    return Math.max(1, Math.round(this.#options.clients * share));
  }
}

function formatUrl({ port }: MortalUpstream): string {
  return `http://${HOST}:${port}`;
}
