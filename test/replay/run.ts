import { EventStream } from '../../capture/read/event-stream';
import type { CaptureReader } from '../../capture/contract/reader';
import type { TrafficStream } from '../../core/capture/traffic-stream';
import { PositionTracker, ReplayPosition } from '../../core/replay/position';
import type { Replayed } from '../../core/replay/tuple';
import type { ParkedRequest } from '../../replay/place/parked-place';
import { Replay, SendingPlan } from '../../replay/replay';
import { Results } from '../../replay/results';
import { Sender } from '../../replay/send';

/** Parts in memory as a store, some at a time. */
export function readerOf(parts: readonly TrafficStream[], batch = 50): CaptureReader {
  return {
    progress: { doneBytes: 0, totalBytes: 0 },
    async *read() {
      let watermarkMs = -Infinity;
      for (let at = 0; at < parts.length; at += batch) {
        const records = parts.slice(at, at + batch).map((stream) => {
          const timeMs = Number(stream.observations.at(-1)!.timeNs / 1_000n) / 1_000;
          watermarkMs = Math.max(watermarkMs, timeMs);
          return { stream, timeMs };
        });
        yield await Promise.resolve({ records, watermarkMs });
      }
    },
  };
}

export interface Ran {
  readonly replay: Replay;
  readonly replayed: Replayed[];
  readonly parked: ParkedRequest[];
  readonly position: ReplayPosition;
  readonly failure: Error | undefined;
}

export interface RunOptions {
  readonly plan?: Partial<SendingPlan>;
  readonly signal?: AbortSignal;
  readonly start?: ReplayPosition;
  readonly timeoutMs?: number;
  readonly windowMs?: number;
  readonly follow?: boolean;
  readonly onStart?: (replay: Replay, position: PositionTracker) => void;
}

/** Replays parts to a target, as fast as their order allows. */
export async function runReplay(
  parts: readonly TrafficStream[] | CaptureReader,
  target: URL,
  options: RunOptions = {},
): Promise<Ran> {
  const {
    signal = new AbortController().signal,
    windowMs = 10_000,
    start = { fromMs: -Infinity, finished: [] },
  } = options;
  const read = {
    signal,
    follow: options.follow ?? false,
    warn: () => undefined,
    windowMs,
    maxBytes: 1e9,
  };
  const sender = new Sender({
    target,
    maxConnections: 50,
    timeoutMs: options.timeoutMs ?? 30_000,
    maxResponseBytes: 1e6,
    insecure: false,
  });
  const replayed: Replayed[] = [];
  const parked: ParkedRequest[] = [];
  const position = new PositionTracker(start, 2 * windowMs);
  const plan: SendingPlan = {
    key: { kind: 'connection' },
    rewrite: { host: target.host, paths: [], setHeaders: [], removeHeaders: [] },
    ...{
      path: '',
      transforms: [],
      speed: Infinity,
      rate: Infinity,
      fromMs: start.fromMs,
      toMs: Infinity,
      methods: new Set<string>(),
    },
    ...{ maxInFlight: 50, maxWaiting: 2_000, maxWaitingBytes: 1e9, retry: { maxAttempts: 3, maxOutageMs: 60_000 } },
    ...options.plan,
  };
  const replay = new Replay(
    plan,
    {
      events: new EventStream('read' in parts ? parts : readerOf(parts), read),
      sender,
      results: new Results([{ take: (each) => void replayed.push(each) }], 1e9),
      position,
      park: (each) => Promise.resolve(void parked.push(each)),
    },
    signal,
  );
  options.onStart?.(replay, position);
  let failure: Error | undefined;
  try {
    await replay.run();
  } catch (error) {
    failure = error as Error;
  }
  sender.close();
  return { replay, replayed, parked, position: position.position, failure };
}
