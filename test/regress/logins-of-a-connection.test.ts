import http from 'node:http';
import type { Socket } from 'node:net';
import { Engine, get, liveIn, startBackend, startEngine, stopAll, until } from '../proxy/support/world';
import { ask, connect } from '../proxy/data-plane/http2/support/sessions';

/**
 * With NTLM and Negotiate the connection is logged in. A stranger's request over it got a response as that of the user
 * before.
 */

afterEach(stopAll);

interface LocalCloud {
  readonly engine: Engine;
  readonly sockets: Set<Socket>;
}

/** A backend that knows its user by the connection, as IIS does. */
async function start(scheme: string): Promise<LocalCloud> {
  const users = new WeakMap<Socket, string>();
  const { port, sockets } = await startBackend((request, response) => {
    const [, name, step] = /^(\S+) (\S+)/.exec(request.headers.authorization ?? '') ?? [];
    if (step === 'first') return void response.writeHead(401, { 'www-authenticate': `${scheme} challenge` }).end();
    if (step !== undefined && name === scheme) users.set(request.socket, step);
    response.end(users.get(request.socket) ?? 'nobody');
  });
  return { engine: await startEngine(port), sockets };
}

function client({ engine }: LocalCloud) {
  const agent = new http.Agent({ keepAlive: true, maxSockets: 1 });
  return {
    ask: (headers: http.OutgoingHttpHeaders = {}, options: http.RequestOptions = {}) =>
      get({ port: engine.port, agent, headers, ...options }),
    leave: () => agent.destroy(),
  };
}

describe.each(['NTLM', 'Negotiate', 'negotiate', 'Kerberos'])('%s', (scheme) => {
  test('a user is logged in over a connection that no one else gets, until it leaves', async () => {
    const cloud = await start(scheme);
    const alice = client(cloud);
    expect((await alice.ask({ authorization: `${scheme} first` })).status).toBe(401);
    expect((await alice.ask({ authorization: `${scheme} alice` })).body).toBe('alice');
    expect((await alice.ask()).body).toBe('alice');
    expect((await alice.ask({}, { method: 'POST' })).body).toBe('alice');
    const bob = client(cloud);
    for (let count = 0; count < 3; count += 1) expect((await bob.ask()).body).toBe('nobody');
    expect((await alice.ask()).body).toBe('alice');
    alice.leave();
    bob.leave();
    await until(() => cloud.sockets.size <= 1);
    expect((await client(cloud).ask()).body).toBe('nobody');
    await until(() => liveIn(cloud.engine.ledger) === 0);
  });

  test('so it is where only the response shows it', async () => {
    const cloud = await start(scheme);
    const alice = client(cloud);
    await alice.ask({ authorization: 'Basic first' });
    expect((await client(cloud).ask()).body).toBe('nobody');
    await until(() => cloud.sockets.size === 2);
  });

  test.each([{ 'x-forwarded-for': '192.0.2.1' }, { via: '1.1 a' }, { forwarded: 'for=192.0.2.1' }])(
    'behind a proxy, whose connection is that of many, it is not used again: %j',
    async (forwarded) => {
      const cloud = await start(scheme);
      const front = client(cloud);
      expect((await front.ask({ ...forwarded, authorization: `${scheme} alice` })).body).toBe('alice');
      expect((await front.ask(forwarded)).body).toBe('nobody');
      await until(() => cloud.sockets.size === 1);
    },
  );
});

test('the same holds over HTTP/2, where no stream is a client of its own', async () => {
  const cloud = await start('NTLM');
  const session = await connect(cloud.engine.port);
  const asked = ask(session, { authorization: 'NTLM alice' });
  await until(() => asked.code !== undefined);
  expect(asked.body).toBe('alice');
  expect((await client(cloud).ask()).body).toBe('nobody');
  await until(() => cloud.sockets.size === 1);
});

test.each(['Basic NTLM', 'Bearer negotiate.a.b', 'NTLMx a'])(
  'other logins share connections: %s',
  async (authorization) => {
    const cloud = await start('Digest');
    const alice = client(cloud);
    for (let count = 0; count < 3; count += 1) expect((await alice.ask({ authorization })).body).toBe('nobody');
    expect((await client(cloud).ask()).body).toBe('nobody');
    expect(cloud.sockets.size).toBe(1);
  },
);
