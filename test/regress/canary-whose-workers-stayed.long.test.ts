import { Counter, startEcho } from '../proxy/handover/support/generations';
import { ProxyBundle, bundleProxy, findDescendants, isAlive, kill } from '../proxy/support/proxy-process';
import { findReport } from '../proxy/support/proxy-world';
import { restart, startRestartable } from '../proxy/support/restart-world';
import { later, stopAll, until } from '../proxy/support/world';

// The primary of a canary was killed, or hung and was ended: its workers served on for their grace period, and no hold and no retarget
// reached them. One that hung stayed for ever. SIGTERM waited for a canary that hung without an end, and so it did for a worker.
let bundle: ProxyBundle;
beforeAll(() => void (bundle = bundleProxy()));
afterAll(() => bundle.remove());
afterEach(stopAll);

const SOCKETS = 4;

async function startCanary(settings: object) {
  const { port: upstream } = await startEcho();
  const world = await startRestartable(bundle, { upstream: `http://127.0.0.1:${upstream}`, ...settings });
  const before = findDescendants(world.proxy.child);
  expect((await restart(world, { share: 0.5 })).status).toBe(202);
  const canary = findDescendants(world.proxy.child).filter((pid) => !before.includes(pid));
  // One that hangs is not found by what it says.
  later(() => canary.forEach(kill));
  const primary = (world.proxy.lines.find(({ msg }) => msg.startsWith('A canary has')) as unknown as { canary: number })
    .canary;
  return { ...world, canary, primary };
}

test('no process of a canary that is lost stays, also none that hangs', async () => {
  const { port, admin, canary, primary } = await startCanary({ workers: 2, grace_period_seconds: 600 });
  const sockets = await Promise.all(Array.from({ length: SOCKETS }, () => Counter.open(port)));
  const workers = canary.filter((pid) => pid !== primary);
  expect(workers).toHaveLength(2);
  expect((await findReport(admin)).active.websocket).toBe(SOCKETS);
  process.kill(workers[0]!, 'SIGSTOP');
  kill(primary);
  await until(() => !canary.some(isAlive));
  await until(async () => (await findReport(admin)).ended.websocket.forced > 0);
  const left = sockets.filter(({ isClosed }) => !isClosed);
  for (const socket of left) socket.say();
  await until(() => left.every(({ isWhole }) => isWhole));
  expect((await findReport(admin)).active.websocket).toBe(left.length);
});

test('SIGTERM ends a canary and a worker that hang, too', async () => {
  const times = { grace_period_seconds: 1, graceful_shutdown_timeout_seconds: 1 };
  const { proxy, canary, primary } = await startCanary({ workers: 2, ...times });
  const workers = findDescendants(proxy.child).filter((pid) => !canary.includes(pid));
  process.kill(primary, 'SIGSTOP');
  process.kill(workers[0]!, 'SIGSTOP');
  process.kill(proxy.child.pid!, 'SIGTERM');
  expect(await proxy.exit).toBe(1);
  await until(() => ![...canary, ...workers].some(isAlive));
  expect(proxy.lines.map(({ msg }) => msg)).toContain('A worker does not respond, and is killed: it should have ended');
});
