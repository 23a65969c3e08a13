import { constants, type ServerHttp2Session } from 'node:http2';
import { stopAll, until } from '../../support/world';
import { Backend, ManualTicker, startHttp2Backend, startUpstreams } from './support/upstreams';

afterEach(stopAll);

/** What was sent before it has arrived. The upstream's ping is a byte that it sent, which ends a silence. */
const settled = (session: ServerHttp2Session) => new Promise<void>((resolve) => session.ping(() => resolve()));

/** Pings that the backend's last connection got. */
function countPings(backend: Backend): { count: number } {
  const pings = { count: 0 };
  backend.sessions.at(-1)!.on('ping', () => (pings.count += 1));
  return pings;
}

test('a response may take long: no upstream is pinged more often than every five minutes', async () => {
  const ticker = new ManualTicker();
  const backend = await startHttp2Backend(() => undefined);
  const { open } = startUpstreams({ ticker });
  const heard = open(backend.upstream);
  await until(() => backend.streams.length === 1);
  const session = backend.sessions[0]!;
  const pings = countPings(backend);
  for (let time = 0; time < 3; time += 1) {
    await settled(session);
    // The first one hears what has come; the silence counts from there.
    ticker.pass(1);
    ticker.pass(299);
    await settled(session);
    expect(pings.count).toBe(time);
    ticker.pass(1);
    ticker.pass(300);
    await until(() => pings.count === time + 1);
  }
  await settled(session);
  expect([pings.count, heard.isOver]).toEqual([3, false]);
});

test('with 0 there is no ping', async () => {
  const ticker = new ManualTicker();
  const backend = await startHttp2Backend(() => undefined);
  const { open } = startUpstreams({ ticker, timeouts: { upstreamPingMs: 0 } });
  open(backend.upstream);
  await until(() => backend.streams.length === 1);
  const pings = countPings(backend);
  ticker.pass(7 * 24 * 3600);
  await settled(backend.sessions[0]!);
  expect(pings.count).toBe(0);
});

test('an upstream that finds them too many is pinged half as often', async () => {
  const ticker = new ManualTicker();
  const backend = await startHttp2Backend(() => undefined);
  const { open } = startUpstreams({ ticker, timeouts: { connectMs: 1e9 } });
  for (const intervalSeconds of [300, 600, 1_200]) {
    const heard = open(backend.upstream);
    const known = backend.streams.length;
    await until(() => backend.streams.length > known);
    const pings = countPings(backend);
    const session = backend.sessions.at(-1)!;
    await settled(session);
    ticker.pass(1);
    ticker.pass(intervalSeconds - 1);
    await settled(session);
    expect(pings.count).toBe(0);
    ticker.pass(1);
    ticker.pass(intervalSeconds);
    await until(() => pings.count === 1);
    session.goaway(constants.NGHTTP2_ENHANCE_YOUR_CALM, 0, Buffer.from('too_many_pings'));
    backend.streams.at(-1)!.close(constants.NGHTTP2_CANCEL);
    await until(() => heard.isOver);
  }
});

test('a connection that owes responses and is silent gets no new request, until it speaks', async () => {
  const ticker = new ManualTicker();
  const backend = await startHttp2Backend(() => undefined);
  const { open } = startUpstreams({ ticker });
  open(backend.upstream);
  await until(() => backend.streams.length === 1);
  await settled(backend.sessions[0]!);
  ticker.pass(20);
  open(backend.upstream);
  await until(() => backend.streams.length === 2);
  expect(backend.sessions.length).toBe(1);
  ticker.pass(1);
  ticker.pass(1);
  open(backend.upstream);
  await until(() => backend.streams.length === 3);
  expect(backend.sessions.length).toBe(2);
  await settled(backend.sessions[0]!);
  ticker.pass(1);
  open(backend.upstream);
  await until(() => backend.streams.length === 4);
  expect(backend.sessions.length).toBe(2);
});
