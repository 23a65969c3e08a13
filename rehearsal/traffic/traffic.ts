import { Entry, startEntry } from '../processes/entry';
import { MachineNews, machineTime } from '../processes/machine-time';
import type { TrafficOptions } from './options';
import { TrafficSnapshot, TrafficTally } from './counting/tally';

export interface Traffic {
  /** The latest one; undefined in the first 250 ms. */
  snapshot(): TrafficSnapshot | undefined;
  /** Forgets the latencies so far, which are those of the arrival; all counts stay. */
  mark(): void;
  /**
   * Begins nothing more, waits for what is owed (at the most about 25 s), ends the process.
   *
   * @throws Error when the process has ended by itself: then nothing is known.
   */
  stop(): Promise<TrafficTally>;
}

const NEWS_MS = 250;

type Message = { snapshot?: TrafficSnapshot; tally?: TrafficTally };

/** Starts traffic that checks every response, in a process of its own. */
export async function startTraffic(options: TrafficOptions): Promise<Traffic> {
  const entry = await startEntry<true>('traffic/main', options);
  let latest: TrafficSnapshot | undefined;
  const tally = new Promise<TrafficTally>((resolve, reject) => {
    entry.process.on('message', ({ snapshot, tally: last }: Message) => {
      if (snapshot) latest = snapshot;
      if (last) resolve(last);
    });
    void entry.exited.then((how) => reject(new Error(`The traffic must run until it is stopped, got ${how}`)));
  });
  tally.catch(() => undefined);
  // The load balancer is in this process: the time that the traffic had is what both had.
  machineTime.start();
  const news = setInterval(() => tell(entry, machineTime.news), NEWS_MS).unref();
  void entry.exited.then(() => clearInterval(news));
  return { snapshot: () => latest, mark: () => tell(entry, 'mark'), stop: () => stop(entry, tally) };
}

function tell(entry: Entry<true>, message: 'mark' | 'stop' | MachineNews): void {
  // That it has ended is told by `exited`, with its reason.
  if (entry.process.connected) entry.process.send(message, () => undefined);
}

async function stop(entry: Entry<true>, tally: Promise<TrafficTally>): Promise<TrafficTally> {
  tell(entry, 'stop');
  const last = await tally;
  await entry.exited;
  return last;
}
