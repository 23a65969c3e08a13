import { DEFAULT_TOPIC, StoreUrl, formatStoreUrl } from '../../core/capture/store-url';
import { startEntry } from '../processes/entry';

/** A broker of the rehearsal's own, and the topic for captured traffic. */
export interface OwnBroker {
  readonly url: string;
  stop(): Promise<void>;
}

/** @param asked the store that the template names: a topic keeps its name */
export async function startOwnBroker(asked: StoreUrl): Promise<OwnBroker> {
  const { ready, stop } = await startEntry<{ port: number }>('kafka/broker-server', {});
  const topic = asked.kind === 'kafka' ? asked.topic : DEFAULT_TOPIC;
  const brokers = [{ host: '127.0.0.1', port: ready.port }];
  return { url: formatStoreUrl({ kind: 'kafka', security: 'none', brokers, topic }), stop };
}
