import net from 'node:net';
import type { Decision } from '../../proxy/data-plane/contract/data-plane';
import { later, startBackend, startEngine, stopAll, until } from '../proxy/support/world';

afterEach(stopAll);

test('a held request with a body frees its place when its client is reset', async () => {
  const seen: string[] = [];
  const backend = await startBackend((request, response) => {
    seen.push(request.url ?? '');
    response.end();
  });
  const places = new Set<(decision: Decision) => void>();
  const engine = await startEngine(backend.port, {
    decide: () => ({
      hold: (resume) => {
        places.add(resume);
        return () => places.delete(resume);
      },
    }),
  });
  const client = net.connect(engine.port, '127.0.0.1');
  later(() => void client.destroy());
  client.write('POST /held HTTP/1.1\r\nHost: a\r\nContent-Length: 10\r\n\r\nab');
  await until(() => places.size === 1);
  client.resetAndDestroy();
  await until(() => places.size === 0);
  expect(seen).toEqual([]);
});
