import { findReport, callAdmin } from '../support/proxy-world';
import { ProxyBundle, bundleProxy, listening } from '../support/proxy-process';
import { stopAll, until } from '../support/world';
import { Client, Session, connectClient, startApplication } from '../moves/support/world';

let bundle: ProxyBundle;
beforeAll(() => void (bundle = bundleProxy()));
afterAll(() => bundle.remove());
afterEach(stopAll);

const CLIENTS = 24;

test('a retarget and a drain move the connections of all workers, and the figures are those of all', async () => {
  const sessions = new Map<string, Session>();
  const [source, target] = [await startApplication(sessions), await startApplication(sessions)];
  const at = (port: number) => `http://127.0.0.1:${port}`;
  const proxy = bundle.run([
    ...['--listen', '127.0.0.1:0', '--admin', '127.0.0.1:0', '--workers', '3'],
    ...['--upstream', at(source.port), '--other-upstream', at(target.port)],
  ]);
  const { port, admin } = await listening(proxy);
  const clients: Client[] = [];
  for (let at = 0; at < CLIENTS; at += 1) clients.push(await connectClient(port));
  const order = async (path: string, body: object) => {
    const got = await callAdmin(admin, { method: 'POST', path, body: JSON.stringify(body) });
    expect(got.status).toBe(202);
  };
  const say = async (text: string) => {
    for (const { socket } of clients) socket.send(text);
    await until(() => clients.every(({ texts }) => texts.at(-1) === `echo ${text}`));
  };
  const carried = async (count: number) => until(async () => (await findReport(admin)).carried?.websocket === count);

  await order('/retarget', { to: 'target' });
  await carried(CLIENTS);
  await say('1');
  await order('/retarget', { to: 'source' });
  await carried(0);
  await say('2');
  await order('/drain', {});
  await until(async () => (await findReport(admin)).state === 'drained');
  await say('3');
  await order('/undrain', {});
  await carried(0);
  await say('4');
  const { active, ended, carriedEnded, moves } = await findReport(admin);
  expect([active.websocket, ended.websocket.moved, carriedEnded?.websocket.moved]).toEqual([
    CLIENTS,
    2 * CLIENTS,
    2 * CLIENTS,
  ]);
  expect([moves?.rejected, moves?.stall.reduce((sum, count) => sum + count, 0)]).toEqual([{}, 4 * CLIENTS]);
  expect(clients.flatMap(({ codes }) => codes)).toEqual([]);
});
