import type { ReadOptions } from '../../../capture/contract/reader';
import type { CaptureRecord, CaptureWriter } from '../../../capture/contract/store';
import { readKafka } from '../../../capture/kafka/kafka-source';
import { openKafkaWriter } from '../../../capture/kafka/kafka-writer';
import { encodeTrafficStream } from '../../../core/capture/traffic-stream';
import { T0, get, part, read } from '../../support/recorded';
import type { Broker } from '../../../rehearsal/kafka/broker';

/** One that was made so many milliseconds after T0. */
export function record(ms: number, connectionId = `c${ms % 7}`): CaptureRecord {
  const stream = part(ms, [read(ms, get(`/${ms}`))], { connectionId });
  return { key: connectionId, bytes: encodeTrafficStream(stream) };
}

export interface Seen {
  /** Milliseconds since T0. */
  readonly seen: readonly number[];
  readonly warnings: readonly string[];
  readonly failure: string | undefined;
}

/** What tests do with the topics of a broker. */
export function topicsOf(broker: Broker) {
  const brokers = [{ host: '127.0.0.1', port: broker.port }];
  const open = (topic: string, id = 'n'): Promise<CaptureWriter> =>
    openKafkaWriter(brokers, topic, { id, startedMs: T0 });

  /** @param seen gets what is read while it is read */
  async function readAll(topic: string, options: Partial<ReadOptions> = {}, seen: number[] = []): Promise<Seen> {
    const warnings: string[] = [];
    const hide = (text: string) => text.replace(/127[\d.:]*/, 'BROKER');
    const warn = (text: string) => warnings.push(hide(text));
    const reader = readKafka(brokers, topic);
    const all = { signal: new AbortController().signal, follow: false, skipDamaged: false, warn, ...options };
    try {
      for await (const { records } of reader.read(all)) seen.push(...records.map(({ timeMs }) => timeMs - T0));
      expect(reader.progress.doneBytes).toBe(reader.progress.totalBytes);
      return { seen, warnings, failure: undefined };
    } catch (error) {
      return { seen, warnings, failure: hide((error as Error).message) };
    }
  }
  return { open, readAll };
}
