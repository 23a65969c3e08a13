import { Entry, startEntry } from '../processes/entry';
import { MachineNews, machineTime } from '../processes/machine-time';
import type { TrafficOptions } from './options';
import type { WritesRecord } from './counting/writes-record';
import type { RecordingResult } from './counting/recording-result';
import { TrafficSnapshot, TrafficTally } from './counting/tally';

export interface Traffic {
  /** The latest one; undefined in the first 250 ms. */
  snapshot(): TrafficSnapshot | undefined;
  /** Forgets the latencies so far, which are those of the arrival; all counts stay. */
  mark(): void;
  /** Begins nothing more; connections stay. */
  pause(): void;
  /**
   * Begins nothing more, waits for what is owed (at the most about 25 s), ends the process.
   *
   * @throws Error when the process has ended by itself: then nothing is known.
   */
  stop(): Promise<TrafficTally>;
  /** What the clients wrote down one by one; undefined before it has stopped, and where there are no writers. */
  record(): WritesRecord | undefined;
  /** What became of a recording; undefined before it has stopped, and without one. */
  recording(): RecordingResult | undefined;
}

const NEWS_MS = 250;

interface EndedTraffic {
  readonly tally: TrafficTally;
  /** Where there were writers. */
  readonly record?: WritesRecord;
  /** Where a recording was sent. */
  readonly recording?: RecordingResult;
}

type Message = { snapshot?: TrafficSnapshot; ended?: EndedTraffic };

/** Starts traffic that checks every response, in a process of its own. */
export async function startTraffic(options: TrafficOptions): Promise<Traffic> {
  const entry = await startEntry<true>('traffic/main', options);
  let latest: TrafficSnapshot | undefined;
  let record: WritesRecord | undefined;
  let recording: RecordingResult | undefined;
  const ended = new Promise<TrafficTally>((resolve, reject) => {
    entry.process.on('message', ({ snapshot, ended: last }: Message) => {
      if (snapshot) latest = snapshot;
      if (!last) return;
      ({ record, recording } = last);
      resolve(last.tally);
    });
    void entry.exited.then((how) => reject(new Error(`The traffic must run until it is stopped, got ${how}`)));
  });
  ended.catch(() => undefined);
  // The load balancer is in this process: the time that the traffic had is what both had.
  machineTime.start();
  const news = setInterval(() => tell(entry, machineTime.news), NEWS_MS).unref();
  void entry.exited.then(() => clearInterval(news));
  return {
    snapshot: () => latest,
    mark: () => tell(entry, 'mark'),
    pause: () => tell(entry, 'pause'),
    stop: () => stop(entry, ended),
    record: () => record,
    recording: () => recording,
  };
}

function tell(entry: Entry<true>, message: 'mark' | 'pause' | 'stop' | MachineNews): void {
  // That it has ended is told by `exited`, with its reason.
  if (entry.process.connected) entry.process.send(message, () => undefined);
}

async function stop(entry: Entry<true>, ended: Promise<TrafficTally>): Promise<TrafficTally> {
  tell(entry, 'stop');
  const last = await ended;
  await entry.exited;
  return last;
}
