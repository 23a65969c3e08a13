import { announceReady } from '../processes/entry';
import { startBroker } from './broker';

// Entry: a broker of Kafka at a free port of 127.0.0.1, which ends with this process.

void start();

async function start(): Promise<void> {
  const broker = await startBroker();
  process.once('SIGTERM', () => void broker.stop().then(() => process.exit(0)));
  announceReady({ port: broker.port });
}
