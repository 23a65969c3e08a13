import type { ConnectionPage } from '../../../core/proxy/connection-list';
import { Counter, startEcho } from '../handover/support/generations';
import { ProxyBundle, bundleProxy } from '../support/proxy-process';
import { callAdmin, findReport } from '../support/proxy-world';
import { endOf, restart, startRestartable } from '../support/restart-world';
import { stopAll, until } from '../support/world';

let bundle: ProxyBundle;
beforeAll(() => void (bundle = bundleProxy()));
afterAll(() => bundle.remove());
afterEach(stopAll);

const SOCKETS = 200;
/** In which the retarget comes: after the beginning of a restart, or of its hand-over. */
const STARTING_MS = 1_500;
const HANDING_OVER_MS = 60;
const ROUNDS = Number(process.env.DRAINSHIFT_RESTART_ROUNDS ?? 2);
const SEED = Number(process.env.DRAINSHIFT_RESTART_SEED ?? 1);

/** From 0 to 1, the same for the same seed. */
function createRandom(seed: number): () => number {
  let state = seed >>> 0;
  return () => {
    state = (state * 1_664_525 + 1_013_904_223) >>> 0;
    return state / 2 ** 32;
  };
}

async function retarget(admin: number, to: string): Promise<void> {
  const { status, body } = await callAdmin(admin, { method: 'POST', path: '/retarget', body: JSON.stringify({ to }) });
  expect({ status, body }).toMatchObject({ status: 202 });
}

test('WebSockets that a retarget finds on their way to the next generation are moved there, and none is closed', async () => {
  const random = createRandom(SEED);
  const backends = { source: await startEcho(), target: await startEcho() };
  const { proxy, port, admin } = await startRestartable(bundle, {
    ...{ upstream: `http://127.0.0.1:${backends.source.port}`, moves: 'all', move_timeout_seconds: 60 },
    other_upstream: `http://127.0.0.1:${backends.target.port}`,
  });
  const left = (side: 'source' | 'target') => backends[side].sockets.size;
  const counters: Counter[] = [];
  for (let nth = 0; nth < SOCKETS; nth += 1) counters.push(await Counter.open(port));
  for (const counter of counters) counter.sayEvery(50, 20);
  for (let round = 1; round <= ROUNDS; round += 1) {
    const [to, from] = round % 2 === 1 ? (['target', 'source'] as const) : (['source', 'target'] as const);
    const isBefore = random() < 0.5;
    const delayMs = random() * (isBefore ? STARTING_MS : HANDING_OVER_MS);
    const restarting = restart({ admin });
    if (!isBefore) await restarting;
    await new Promise((resolve) => setTimeout(resolve, delayMs));
    await retarget(admin, to);
    expect((await restarting).status).toBe(202);
    await endOf(proxy, round);
    await until(() => counters.some(({ isClosed }) => isClosed) || (left(to) === SOCKETS && left(from) === 0));
    const seen = { round, isBefore, delayMs, closed: counters.filter(({ isClosed }) => isClosed).length };
    expect(seen).toEqual({ ...seen, closed: 0 });
    const { body } = await callAdmin(admin, { path: '/connections?limit=1000' });
    const { connections } = JSON.parse(body) as ConnectionPage;
    expect(new Set(connections.map(({ upstream }) => upstream))).toEqual(new Set([to]));
    expect(connections).toHaveLength(SOCKETS);
  }
  for (const counter of counters) counter.stop();
  await until(() => counters.every(({ isWhole }) => isWhole));
  const { ended, moves } = await findReport(admin);
  expect({ rejected: moves?.rejected, closed: ended.websocket.closed }).toEqual({ rejected: {}, closed: 0 });
});
