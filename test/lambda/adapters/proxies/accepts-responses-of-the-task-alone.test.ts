import http from 'node:http';
import { AddressInfo } from 'node:net';
import { callAdmin } from '../../../../lambda/adapters/proxies/admin-client';
import { AdminKeys } from '../../../../proxy/admin-keys/admin-keys';
import { startAdminServer } from '../../../../proxy/admin/admin-server';
import { REPORT } from '../../../proxy/support/report';
import { adminHeaders } from '../../../proxy/support/proxy-world';
import { get, later, stopAll } from '../../../proxy/support/world';

afterEach(stopAll);

const SECRET = 'an admin secret of tests';

/** The admin port of a task, with the paths that were let in there. */
async function startTask(identity = 'one') {
  const acted: string[] = [];
  const act = (path: string) => () => void acted.push(path);
  const server = await startAdminServer({ host: '127.0.0.1', port: 0 }, new AdminKeys([SECRET]), {
    identity,
    report: () => ({ ...REPORT, identity }),
    rejection: () => undefined,
    drain: act('/drain'),
    undrain: act('/undrain'),
    hold: act('/hold'),
    release: act('/release'),
    retarget: act('/retarget'),
    window: () => Promise.reject(new Error('not asked')),
    probe: () => Promise.reject(new Error('not probed')),
    connections: () => ({ connections: [] }),
    transferState: () => Promise.reject(new Error('not called')),
    callBackend: () => Promise.reject(new Error('not called')),
    metrics: () => Promise.resolve({ contentType: 'text/plain', body: '' }),
  });
  later(() => server.close());
  return { port: server.address.port, acted };
}

async function startImpostor(handler: http.RequestListener): Promise<number> {
  const server = http.createServer(handler).listen(0, '127.0.0.1');
  await new Promise((resolve) => server.once('listening', resolve));
  later(() => {
    server.closeAllConnections();
    server.close();
  });
  return (server.address() as AddressInfo).port;
}

/** Hands each call on to another task, word for word, and its response back. */
function passTo(port: number): http.RequestListener {
  return (request, response) => {
    const { url = '', method, headers } = request;
    const onward = http.request({ host: '127.0.0.1', port, path: url, method, headers }, (received) => {
      received.pipe(response.writeHead(received.statusCode ?? 0, received.headers));
    });
    request.pipe(onward);
  };
}

const look = (port: number) =>
  callAdmin({ address: '127.0.0.1', port, method: 'GET', path: '/drain-status', keys: [SECRET], timeoutMs: 5_000 });
const undrain = (port: number) =>
  callAdmin({
    address: '127.0.0.1',
    port,
    method: 'POST',
    path: '/undrain',
    body: {},
    keys: [SECRET],
    timeoutMs: 5_000,
  });

test('a task is called by its name at its address', async () => {
  const { port, acted } = await startTask();
  expect(await look(port)).toMatchObject({ identity: 'one', state: 'serving' });
  await undrain(port);
  expect(acted).toEqual(['/undrain']);
});

test('a call that is led to another task does nothing there, and its response is not believed', async () => {
  const { port, acted } = await startTask();
  const elsewhere = await startImpostor(passTo(port));
  await expect(look(elsewhere)).rejects.toMatchObject({
    code: 'AdminUnreachable',
    message: expect.stringMatching(/x-drainshift-address/) as string,
  });
  await expect(undrain(elsewhere)).rejects.toMatchObject({ code: 'AdminUnreachable' });
  expect(acted).toEqual([]);
});

test.each([
  ['unsigned', () => ({})],
  ['signed with another secret', () => ({ 'x-drainshift-signature': 'ab'.repeat(32) })],
])('a response that is %s is none', async (_, headers) => {
  const body = JSON.stringify({ ...REPORT, active: { ...REPORT.active, websocket: 0 } });
  const port = await startImpostor((_request, response) => void response.writeHead(200, headers()).end(body));
  await expect(look(port)).rejects.toMatchObject({
    code: 'AdminUnreachable',
    message: expect.stringMatching(/must get a response that is signed with the secret/) as string,
  });
});

test('a response to an earlier call is none: a task that hangs does not go on to say what it said before', async () => {
  const { port } = await startTask();
  const headers = adminHeaders(port, { path: '/drain-status', secret: SECRET });
  const recorded = await get({ port, path: '/drain-status', headers });
  expect(recorded).toMatchObject({ status: 200, headers: { 'x-drainshift-signature': expect.any(String) as string } });
  const impostor = await startImpostor(
    (_, response) => void response.writeHead(200, recorded.headers).end(recorded.body),
  );
  await expect(look(impostor)).rejects.toMatchObject({
    code: 'AdminUnreachable',
    message: expect.stringMatching(/response that is signed with the secret/) as string,
  });
});
