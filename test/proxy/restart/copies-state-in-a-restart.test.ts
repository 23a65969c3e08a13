import http from 'node:http';
import type { AddressInfo } from 'node:net';
import { setTimeout as pause } from 'node:timers/promises';
import type { TransferReport } from '../../../core/proxy/state-transfer';
import { TransferableState } from '../../../app';
import { ProxyBundle, bundleProxy } from '../support/proxy-process';
import { callAdmin } from '../support/proxy-world';
import { endOf, restart, startRestartable } from '../support/restart-world';
import { later, stopAll, until } from '../support/world';

let bundle: ProxyBundle;
beforeAll(() => void (bundle = bundleProxy()));
afterAll(() => bundle.remove());
afterEach(stopAll);

const LINES = 400;

test('the state is whole at the other backend, although the proxy that copied was restarted in the middle', async () => {
  const carts = new Map<string, unknown>();
  const state = new TransferableState({ path: '/state', maps: { carts } });
  const target = http.createServer(state.wrap((_, response) => void response.end()));
  await new Promise<void>((resolve) => target.listen(0, '127.0.0.1', resolve));
  later(() => {
    target.closeAllConnections();
    target.close();
  });
  let [exports, isSlow] = [0, true];
  const send = async (response: http.ServerResponse) => {
    exports += 1;
    for (let at = 0; at < LINES && !response.destroyed; at += 1) {
      response.write(`${JSON.stringify(['carts', `${at}`, { at, exports }])}\n`);
      if (isSlow) await pause(20);
    }
    response.end();
  };
  const source: http.RequestListener = (_, response) => void send(response);
  const other_upstream = `http://127.0.0.1:${(target.address() as AddressInfo).port}`;
  const { proxy, admin } = await startRestartable(bundle, { workers: 1, other_upstream }, source);
  const order = {
    ...{ id: 'all', from: 'source', to: 'target', path: '/state', epoch: 0, limitMs: 120_000 },
  };
  const follow = async (waitMs: number) => {
    const { body } = await callAdmin(admin, {
      ...{ method: 'POST', path: '/state-transfer', body: JSON.stringify({ ...order, waitMs }) },
    });
    return JSON.parse(body) as TransferReport;
  };
  expect(await follow(0)).toMatchObject({ state: 'running' });
  await until(() => carts.size > 10);
  expect((await restart({ admin })).status).toBe(202);
  // The order is repeated, as a cutover does: the process that heard it first copies still.
  expect(await follow(0)).toMatchObject({ state: 'running' });
  isSlow = false;
  expect(await follow(25_000)).toMatchObject({ state: 'done', keys: LINES });
  await endOf(proxy, 1);
  expect([exports, carts.size]).toEqual([2, LINES]);
  // Nothing is left of the copy that was given up.
  expect(new Set([...carts.values()].map((value) => (value as { exports: number }).exports))).toEqual(new Set([2]));
});
