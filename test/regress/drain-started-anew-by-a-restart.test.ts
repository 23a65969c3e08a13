import { DEFAULT_DRAIN } from '../../core/proxy/admin-api';
import { eachKind } from '../../core/proxy/connections';
import { Counter, startEcho } from '../proxy/handover/support/generations';
import { ProxyBundle, bundleProxy } from '../proxy/support/proxy-process';
import { callAdmin, findReport } from '../proxy/support/proxy-world';
import { endOf, restart, startRestartable } from '../proxy/support/restart-world';
import { stopAll, until } from '../proxy/support/world';

// A drain went on in the next generation with its whole time.
let bundle: ProxyBundle;
beforeAll(() => void (bundle = bundleProxy()));
afterAll(() => bundle.remove());
afterEach(stopAll);

test('a restart in a drain gives its connections no more time', async () => {
  const { port: upstream } = await startEcho();
  const { proxy, port, admin } = await startRestartable(bundle, { upstream: `http://127.0.0.1:${upstream}` });
  const socket = await Counter.open(port);
  const order = { ...DEFAULT_DRAIN, perKindSeconds: eachKind(() => 600) };
  await callAdmin(admin, { method: 'POST', path: '/drain', body: JSON.stringify(order) });
  // Of a proxy of one process, and of a group.
  for (const generation of [1, 2]) {
    const before = await findReport(admin);
    expect(before).toMatchObject({ state: 'draining', active: { websocket: 1 } });
    expect((await restart({ admin })).status).toBe(202);
    await endOf(proxy, generation);
    await until(async () => (await findReport(admin)).active.websocket === 1);
    const { state, drainRemainingSeconds } = await findReport(admin);
    expect(state).toBe('draining');
    expect(drainRemainingSeconds).toBeGreaterThan(0);
    expect(drainRemainingSeconds).toBeLessThan(before.drainRemainingSeconds);
  }
  socket.say();
  await until(() => socket.isWhole);
});
