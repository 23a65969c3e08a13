import type { LoadResult, Mark } from '../load/inside';
import { coreBusySeconds, cpuSeconds, listProcessTree } from '../processes/proc';
import type { Sample } from './row';

/** Reads what a proxy and its core did between the two marks of a load. */
export class Meter {
  readonly #pids: readonly number[];
  readonly #core: number | undefined;
  #begin = { own: 0, core: 0, ms: 0 };
  #end = { own: 0, core: 0, ms: 0 };

  /** @param core the proxy's own; undefined where nothing is pinned */
  constructor(pid: number, core: number | undefined) {
    this.#pids = listProcessTree(pid);
    this.#core = core;
  }

  readonly atMark = (at: Mark['at']): void => {
    const now = {
      own: cpuSeconds(this.#pids),
      core: this.#core === undefined ? 0 : coreBusySeconds(this.#core),
      ms: performance.now(),
    };
    if (at === 'begin') this.#begin = now;
    else this.#end = now;
  };

  /** CPU time per request and how busy the core was. */
  costs({ requests, seconds }: LoadResult): Pick<Sample, 'cpuMicros' | 'busy' | 'othersBusy'> {
    const own = this.#end.own - this.#begin.own;
    const others = this.#core === undefined ? 0 : Math.max(0, this.#end.core - this.#begin.core - own);
    const wall = (this.#end.ms - this.#begin.ms) / 1000;
    const busy = { busy: Math.min(1, own / seconds), othersBusy: others / wall };
    return requests === 0 ? busy : { cpuMicros: (own * 1e6) / requests, ...busy };
  }
}
