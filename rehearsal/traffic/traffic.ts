import { Entry, startEntry } from '../entry';
import type { TrafficOptions } from './options';
import { TrafficSnapshot, TrafficTally } from './tally';

export type { TrafficOptions, TrafficRates } from './options';

/** HTTP answers by side in the 250 ms that end at `at`. */
export interface SideSample {
  /** ISO 8601. */
  readonly at: string;
  readonly source: number;
  readonly target: number;
}

export interface Traffic {
  /** The latest one; undefined in the first 250 ms. */
  snapshot(): TrafficSnapshot | undefined;
  /** For a chart of requests per side. */
  samples(): readonly SideSample[];
  /**
   * Begins nothing more, waits for what is owed (at the most about 25 s), ends the process.
   *
   * @throws Error when the process has ended by itself: then nothing is known.
   */
  stop(): Promise<TrafficTally>;
}

type Message = { snapshot?: TrafficSnapshot; tally?: TrafficTally };

/** Starts traffic that checks every answer, in a process of its own. */
export async function startTraffic(options: TrafficOptions): Promise<Traffic> {
  const entry = await startEntry<true>('traffic/main', options);
  const samples: SideSample[] = [];
  let latest: TrafficSnapshot | undefined;
  const tally = new Promise<TrafficTally>((resolve, reject) => {
    entry.process.on('message', ({ snapshot, tally: last }: Message) => {
      if (snapshot) {
        samples.push(sampleOf(snapshot, latest));
        latest = snapshot;
      }
      if (last) resolve(last);
    });
    void entry.exited.then((how) => reject(new Error(`The traffic must run until it is stopped, got ${how}`)));
  });
  tally.catch(() => undefined);
  return { snapshot: () => latest, samples: () => samples, stop: () => stop(entry, tally) };
}

async function stop(entry: Entry<true>, tally: Promise<TrafficTally>): Promise<TrafficTally> {
  if (entry.process.connected) entry.process.send('stop');
  const last = await tally;
  await entry.exited;
  return last;
}

function sampleOf({ at, answersBySide }: TrafficSnapshot, before: TrafficSnapshot | undefined): SideSample {
  return {
    at,
    source: answersBySide.source - (before?.answersBySide.source ?? 0),
    target: answersBySide.target - (before?.answersBySide.target ?? 0),
  };
}
