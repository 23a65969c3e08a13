import { liveIn, stopAll, until } from '../../support/world';
import { Stand, expectServes, head, startStand } from './support/rejections';
import { RawClient, send } from './support/raw-client';
import { OK, startUpstream } from './support/raw-upstream';

afterEach(stopAll);

const CUTS = ['FIN', 'RST'] as const;
type Cut = (typeof CUTS)[number];

const REQUESTS = {
  length: `${head('POST /cut HTTP/1.1', 'Host: a', 'Content-Length: 5')}hello`,
  chunked: `${head('POST /cut HTTP/1.1', 'Host: a', 'Transfer-Encoding: chunked')}5;a="b"\r\nhello\r\n0\r\nX-Sum: 1\r\n\r\n`,
  pipelined: head('GET /1 HTTP/1.1', 'Host: a') + head('GET /2 HTTP/1.1', 'Host: a'),
};

const REASONS = {
  length: `${head('HTTP/1.1 200 OK', 'Content-Length: 5')}hello`,
  chunked: `${head('HTTP/1.1 200 OK', 'Transfer-Encoding: chunked')}5\r\nhello\r\n0\r\nX-Sum: 1\r\n\r\n`,
  interim: `${head('HTTP/1.1 103 Early Hints', 'Link: </a>')}${OK}`,
};

function cutOff(client: RawClient, cut: Cut): void {
  if (cut === 'FIN') client.end();
  else client.reset();
}

async function expectNothingLeft(stand: Stand): Promise<void> {
  await until(() => liveIn(stand.engine.ledger) === 0);
  await expectServes(stand);
  // Every exchange that began has been told that it is over, once.
  const started = stand.engine.heads.length;
  await until(() => stand.engine.outcomes.length >= started);
  expect(stand.engine.outcomes).toHaveLength(started);
}

const requestCases = Object.entries(REQUESTS).flatMap(([name, bytes]) =>
  CUTS.map((cut) => [name, cut, bytes] as const),
);

test.each(requestCases)('a request (%s) that is cut at any byte by %s', async (_, cut, bytes) => {
  const stand = await startStand();
  for (let at = 1; at <= bytes.length; at += 1) {
    const client = await send(stand.engine.port, bytes.slice(0, at));
    if (at % 2 === 0) await new Promise(setImmediate);
    cutOff(client, cut);
    await client.when(({ isClosed }) => isClosed);
    const statuses = client.read().responses.map(({ status }) => status);
    expect(statuses.filter((status) => status !== 200 && status !== 400)).toEqual([]);
  }
  await expectNothingLeft(stand);
  // An upload that was cut before its last byte is none.
  for (const { method, body } of stand.upstream.requests) expect(body).toBe(method === 'POST' ? 'hello' : '');
});

const responseCases = Object.entries(REASONS).flatMap(([name, bytes]) =>
  CUTS.map((cut) => [name, cut, bytes] as const),
);

test.each(responseCases)('a response (%s) that the upstream cuts at any byte by %s', async (_, cut, bytes) => {
  let at = 0;
  const upstream = await startUpstream(({ target }, { socket }) => {
    if (target !== '/cut') return OK;
    if (at > 0) socket.write(bytes.slice(0, at));
    if (cut === 'FIN') socket.end();
    else setImmediate(() => socket.resetAndDestroy());
    return undefined;
  });
  const stand = await startStand({}, upstream);
  for (at = 0; at < bytes.length; at += 1) {
    const client = await send(stand.engine.port, head('POST /cut HTTP/1.1', 'Host: a', 'Content-Length: 0'));
    await client.responds();
    const whole = client.read().responses.filter(({ status }) => status >= 200);
    // Either told that it failed, or cut: never a whole response made of a part.
    expect(whole.map(({ status }) => status)).toEqual(client.wasReset ? [] : [502]);
    client.reset();
  }
  await expectNothingLeft(stand);
});

test.each(responseCases)('a client that leaves at any byte of its response (%s) by %s', async (_, cut, bytes) => {
  let at = 0;
  const upstream = await startUpstream(({ target }) => (target === '/cut' ? bytes.slice(0, at) : OK));
  const stand = await startStand({}, upstream);
  for (at = 0; at <= bytes.length; at += 1) {
    const count = upstream.targets.length;
    const client = await send(stand.engine.port, head('GET /cut HTTP/1.1', 'Host: a'));
    await upstream.when(({ targets }) => targets.length > count);
    if (at % 2 === 0) await new Promise(setImmediate);
    cutOff(client, cut);
  }
  await until(() => liveIn(stand.engine.ledger) === 0);
  await upstream.when(({ connections }) => connections.filter(({ isClosed }) => !isClosed).length <= 1);
  await expectNothingLeft(stand);
});

test('clients that leave while their request waits for a connection', async () => {
  const upstream = await startUpstream(({ target }) => (target === '/hold' ? undefined : OK));
  const stand = await startStand({ limits: { upstreamConnections: 1 } }, upstream);
  const holder = await send(stand.engine.port, head('GET /hold HTTP/1.1', 'Host: a'));
  await upstream.when(({ requests }) => requests.length === 1);
  const waiting = await Promise.all(CUTS.map(() => send(stand.engine.port, head('GET /wait HTTP/1.1', 'Host: a'))));
  await until(() => liveIn(stand.engine.ledger) === 3);
  for (const client of waiting) client.reset();
  await until(() => liveIn(stand.engine.ledger) === 1);
  holder.reset();
  await expectNothingLeft(stand);
  expect(upstream.targets).not.toContain('/wait');
});
