import { Observation, TrafficStream, encodeTrafficStream } from '../../core/capture/traffic-stream';
import { markMessages } from '../../core/capture/websocket-part';
import type { CaptureRecord } from '../../capture/contract/store';

/** Kafka takes records of 1 MiB. */
const MAX_RECORD_BYTES = 900 * 1024;

/** One connection in the format: its requests one after the other. */
export class Trace {
  requests = 0;
  index = 0;
  private branches = 0;

  constructor(
    readonly nodeId: string,
    readonly id: string,
    readonly isRecorded: boolean,
  ) {}

  /** One of the streams that overlap on it. */
  branch(): Trace {
    this.branches += 1;
    return new Trace(this.nodeId, `${this.id}.${this.branches}`, this.isRecorded);
  }

  /**
   * Records of at most `MAX_RECORD_BYTES`, which continue each other.
   *
   * @param priorRequests how many requests came before what was seen
   */
  write(observations: readonly Observation[], priorRequests: number): CaptureRecord[] {
    const parts = pack(observations);
    return parts.map(({ seen }, at) =>
      this.number(seen, { priorRequests, wasReading: at > 0 && parts[at - 1]!.seen.at(-1)?.kind === 'read' }),
    );
  }

  /** The same of messages of a WebSocket. @param isLast nothing follows on this connection */
  writeMessages(observations: readonly Observation[], isLast = false): CaptureRecord[] {
    const mark = markMessages(observations[0]!.timeNs);
    const parts = pack(observations);
    return parts.map(({ seen, isWithin }, at) =>
      this.number([...mark, ...seen], {
        priorRequests: this.requests,
        wasReading: isWithin,
        isLast: isLast && at === parts.length - 1,
      }),
    );
  }

  private number(
    observations: readonly Observation[],
    place: Pick<TrafficStream, 'priorRequests' | 'wasReading'> & { readonly isLast?: boolean },
  ): CaptureRecord {
    const { id, nodeId, index } = this;
    this.index += 1;
    const stream = { isLast: false, ...place, connectionId: id, nodeId, index, observations };
    return { key: id, bytes: encodeTrafficStream(stream) };
  }
}

/** What one record has room for. */
interface Part {
  readonly seen: Observation[];
  /** It goes on within an observation of the one before it. */
  readonly isWithin: boolean;
}

function pack(observations: readonly Observation[]): Part[] {
  const parts: Part[] = [{ seen: [], isWithin: false }];
  let bytes = 0;
  for (const { piece, isWithin } of observations.flatMap(splitData)) {
    const size = 'data' in piece ? piece.data.length : 0;
    if (bytes + size > MAX_RECORD_BYTES) parts.push({ seen: [], isWithin });
    bytes = bytes + size > MAX_RECORD_BYTES ? size : bytes + size;
    parts.at(-1)!.seen.push(piece);
  }
  return parts;
}

function splitData(observation: Observation): { readonly piece: Observation; readonly isWithin: boolean }[] {
  if (!('data' in observation) || observation.data.length <= MAX_RECORD_BYTES)
    return [{ piece: observation, isWithin: false }];
  const { data } = observation;
  const count = Math.ceil(data.length / MAX_RECORD_BYTES);
  return Array.from({ length: count }, (_, at) => ({
    piece: { ...observation, data: data.subarray(at * MAX_RECORD_BYTES, (at + 1) * MAX_RECORD_BYTES) },
    isWithin: at > 0,
  }));
}
