import { Backend, startBackend } from '../replay/recording-backend';
import { runReplay } from '../replay/run';
import { get, ok, partsOf, put } from '../support/recorded';

let backend: Backend | undefined;
afterEach(() => backend?.close());

const EVENTS = 'HTTP/1.1 200 OK\r\nContent-Type: text/event-stream\r\nTransfer-Encoding: chunked\r\n\r\n';

test('an event stream that was asked for is done with its head, and one that responds to a write with its end', async () => {
  const closed: string[] = [];
  backend = await startBackend(({ method, url }, response) => {
    response.writeHead(200, { 'Content-Type': 'text/event-stream; charset=utf-8' }).write('data: 1\n\n');
    response.on('close', () => closed.push(`${method} ${url} ${response.writableFinished ? 'whole' : 'left'}`));
    if (method === 'PUT') response.end('data: 2\n\n');
  });
  const made = (n: number, request: string, response: string) => ({
    ...{ connection: `c${n}`, n: 0, startMs: n * 10, endMs: n * 10 + 5, request, response },
  });
  const parts = partsOf([
    made(0, get('/events'), EVENTS),
    made(1, put('/answer', '?'), EVENTS),
    made(2, get('/events'), ok('')),
  ]);
  const { replay, replayed, parked } = await runReplay(parts, backend.url);
  expect(parked).toEqual([]);
  expect(replay.counts).toMatchObject({ sent: 3, failed: 0 });
  const bodies = replayed.map(({ id, targetResponses: [last] }) => [id, String(last?.body), last?.isCut]).sort();
  expect(bodies).toEqual([
    ['c0.0', '', true],
    ['c1.0', 'data: 1\n\ndata: 2\n\n', false],
    ['c2.0', '', true],
  ]);
  expect(closed).toContain('PUT /answer whole');
});
