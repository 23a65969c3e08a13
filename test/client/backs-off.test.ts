import { follow, recordWaits, startHttpServer, startSocketServer, stopAll, until } from './support/hostile-server';

afterEach(stopAll);

const CODE = /^close 10\d\d 0$/;
const closes = (said: readonly string[]) => said.filter((each) => CODE.test(each)).length;

test('a server that accepts and closes at once: each wait is drawn from a range twice as long, up to the longest', async () => {
  const waits = recordWaits(0.5);
  const server = await startSocketServer((socket) => socket.close(1011));
  const { said } = follow(server.url, undefined, { minDelayMs: 2, maxDelayMs: 10 });
  await until(() => closes(said) >= 5);
  expect(waits().slice(0, 5)).toEqual([1, 2, 4, 5, 5]);
});

test('a draw is full jitter: from zero on', async () => {
  const waits = recordWaits(0);
  const server = await startSocketServer((socket) => socket.close(1011));
  const { said } = follow(server.url, undefined, { minDelayMs: 1000 });
  await until(() => closes(said) >= 3);
  expect(waits().slice(0, 3)).toEqual([0, 0, 0]);
});

test('a connection that stayed open for five seconds begins anew', async () => {
  const waits = recordWaits(0.5);
  const server = await startSocketServer((socket, number) => number !== 3 && socket.close(1011));
  const { said } = follow(server.url, undefined, { minDelayMs: 2, maxDelayMs: 1000 });
  await until(() => said.filter((each) => each === 'open 1').length === 3);
  const now = Date.now();
  jest.spyOn(Date, 'now').mockReturnValue(now + 5001);
  for (const socket of server.server.clients) socket.close(1011);
  await until(() => closes(said) >= 3);
  expect(waits().slice(0, 3)).toEqual([1, 2, 1]);
});

test('nothing listens: each attempt is an error and a close, until something does', async () => {
  const first = await startSocketServer(() => undefined);
  first.server.close();
  const { said } = follow(first.url);
  await until(() => closes(said) >= 3);
  expect(said.slice(0, 4)).toEqual(['error', 'close 1006 0', 'error', 'close 1006 0']);
  await startSocketServer(() => undefined, first.port);
  await until(() => said.at(-1) === 'open 1');
});

test('a handshake that is rejected is such an attempt', async () => {
  const { url } = await startHttpServer((_, response) => response.writeHead(503, { 'retry-after': '1' }).end());
  const { said } = follow(url.replace('http', 'ws'));
  await until(() => closes(said) >= 2);
  expect(said.slice(0, 2)).toEqual(['error', 'close 1006 0']);
});
