import type { ConnectionPage } from '../../../core/proxy/connection-list';
import { eachKind } from '../../../core/proxy/connections';
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

/** As a cutover gives it: one that failed, because a generation has its hands full or has just ended, is given again. */
async function order(admin: number, path: string, body: object): Promise<void> {
  for (;;) {
    const { status, body: said } = await callAdmin(admin, { method: 'POST', path, body: JSON.stringify(body) });
    if (status === 200 || status === 202) return;
    if (status < 500) expect({ path, status, said }).toBe('accepted');
  }
}

interface Stand {
  readonly admin: number;
  readonly counters: readonly Counter[];
  /** Restarts, with the order in the middle of it, and waits until the generation before has ended. */
  restartWith(path: string, body: object): Promise<void>;
  /** Until all WebSockets are at one backend, and none is at the other. */
  moved(to: 'source' | 'target'): Promise<void>;
  /** None was closed, none has lost or doubled a message. */
  finish(): Promise<void>;
}

async function startStand(): Promise<Stand> {
  const random = createRandom(SEED);
  const backends = { source: await startEcho(), target: await startEcho() };
  const { proxy, port, admin } = await startRestartable(bundle, {
    ...{ upstream: `http://127.0.0.1:${backends.source.port}`, moves: 'all', move_timeout_seconds: 60 },
    other_upstream: `http://127.0.0.1:${backends.target.port}`,
    // What moves goes over behind its move, however long that takes on a slow machine.
    grace_period_seconds: 60,
  });
  const left = (side: 'source' | 'target') => backends[side].sockets.size;
  const counters: Counter[] = [];
  for (let nth = 0; nth < SOCKETS; nth += 1) counters.push(await Counter.open(port));
  for (const counter of counters) counter.sayEvery(50, 20);
  let restarts = 0;
  let when: object = {};
  return {
    admin,
    counters,
    restartWith: async (path, body) => {
      const isBefore = random() < 0.5;
      const delayMs = random() * (isBefore ? STARTING_MS : HANDING_OVER_MS);
      const restarting = restart({ admin });
      if (!isBefore) await restarting;
      await new Promise((resolve) => setTimeout(resolve, delayMs));
      await order(admin, path, body);
      expect((await restarting).status).toBe(202);
      when = { restart: (restarts += 1), path, isBefore, delayMs };
      await endOf(proxy, restarts);
    },
    moved: async (to) => {
      const from = to === 'target' ? 'source' : 'target';
      await until(() => counters.some(({ isClosed }) => isClosed) || (left(to) === SOCKETS && left(from) === 0));
      const closed = counters.filter(({ isClosed }) => isClosed).length;
      expect({ ...when, to, closed }).toEqual({ ...when, to, closed: 0 });
    },
    finish: async () => {
      for (const counter of counters) counter.stop();
      await until(() => counters.every(({ isWhole }) => isWhole));
      const { ended, moves } = await findReport(admin);
      expect({ rejected: moves?.rejected, closed: ended.websocket.closed }).toEqual({ rejected: {}, closed: 0 });
    },
  };
}

test('WebSockets that a retarget finds on their way to the next generation are moved there, and none is closed', async () => {
  const stand = await startStand();
  for (let round = 1; round <= ROUNDS; round += 1) {
    const to = round % 2 === 1 ? 'target' : 'source';
    await stand.restartWith('/retarget', { to });
    await stand.moved(to);
    const { body } = await callAdmin(stand.admin, { path: '/connections?limit=1000' });
    const { connections } = JSON.parse(body) as ConnectionPage;
    expect(new Set(connections.map(({ upstream }) => upstream))).toEqual(new Set([to]));
    expect(connections).toHaveLength(SOCKETS);
  }
  await stand.finish();
});

test('and so are those that a drain, its end or the release of a hold finds there', async () => {
  const stand = await startStand();
  for (let round = 1; round <= ROUNDS; round += 2) {
    await stand.restartWith('/drain', { perKindSeconds: eachKind(() => 3_600) });
    await stand.moved('target');
    await stand.restartWith('/undrain', {});
    await stand.moved('source');
    await order(stand.admin, '/hold', { epoch: round, leaseMs: 600_000, maxWaiting: 10, endsStreams: true });
    await stand.restartWith('/release', { epoch: round, to: 'target' });
    await stand.moved('target');
    await order(stand.admin, '/retarget', { to: 'source' });
    await stand.moved('source');
  }
  await stand.finish();
});
