import type { ReadOptions } from '../../../capture/contract/reader';
import type { CaptureRecord, CaptureWriter } from '../../../capture/contract/store';
import type { KafkaAccess } from '../../../capture/kafka/kafka-client';
import { readKafka } from '../../../capture/kafka/kafka-source';
import { openKafkaWriter } from '../../../capture/kafka/kafka-writer';
import type { KafkaSecurity } from '../../../core/capture/store-url';
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

export const NO_LOGIN: KafkaAccess = { createToken: () => Promise.reject(new Error('no token is made here')) };

/** What tests do with the topics of a broker. */
export function topicsOf({ port }: Pick<Broker, 'port'>, security: KafkaSecurity = 'none', access = NO_LOGIN) {
  // Certificates are for names.
  const host = security === 'none' ? '127.0.0.1' : 'localhost';
  const locate = (topic: string) => ({ kind: 'kafka', security, brokers: [{ host, port }], topic }) as const;
  const open = (topic: string, id = 'n'): Promise<CaptureWriter> =>
    openKafkaWriter(locate(topic), { id, startedMs: T0 }, access);

  /** @param seen gets what is read while it is read */
  async function readAll(topic: string, options: Partial<ReadOptions> = {}, seen: number[] = []): Promise<Seen> {
    const warnings: string[] = [];
    const hide = (text: string) => text.replace(/(?:127|localhost)[\d.:]*/, 'BROKER');
    const warn = (text: string) => warnings.push(hide(text));
    const reader = readKafka(locate(topic), access);
    const all = { signal: new AbortController().signal, follow: false, warn, ...options };
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
