import http from 'node:http';
import { later, liveIn, startBackend, startEngine, stopAll, until } from '../proxy/support/world';

afterEach(stopAll);

test('a client that takes its response is not late with the rest of its upload', async () => {
  const pieces = 40;
  const backend = await startBackend((request, response) => {
    request.resume();
    let sent = 0;
    const timer = setInterval(() => {
      response.write('piece');
      sent += 1;
      if (sent === pieces) clearInterval(timer);
    }, 10);
    later(() => clearInterval(timer));
    request.on('end', () => response.end());
  });
  const engine = await startEngine(backend.port, { timeouts: { bodyIdleMs: 100 } });
  let text = '';
  const request = http.request({ host: '127.0.0.1', port: engine.port, method: 'POST', agent: false });
  later(() => void request.destroy());
  const responded = new Promise<void>((resolve, reject) => {
    request.on('error', reject);
    request.on('response', (response) => {
      response.on('error', reject);
      response.on('data', (bytes: Buffer) => {
        text += bytes.toString();
        if (text.length === 5 * pieces) request.end();
      });
      response.on('end', resolve);
    });
  });
  request.write('first');
  await responded;
  expect(text).toBe('piece'.repeat(pieces));
  await until(() => liveIn(engine.ledger) === 0);
});
