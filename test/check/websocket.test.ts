import { generate } from 'selfsigned';
import type { WebSocketSeen } from '../../core/check/websocket';
import { WebSocketPlan, checkWebSocket } from '../../check/websocket';
import type { CheckTarget } from '../../check/target';
import { echo, goOn, quiet, serve, stopServers, targetFor } from './servers';

afterEach(stopServers);

const PLAN: WebSocketPlan = { expectation: 'echo', message: 'm{n}', idleMs: 0 };

async function check(
  url: string,
  { plan = {}, ...more }: Partial<CheckTarget> & { plan?: Partial<WebSocketPlan> } = {},
): Promise<{ readonly seen: WebSocketSeen; readonly steps: readonly string[] }> {
  const steps: string[] = [];
  const seen = await checkWebSocket(targetFor(url, more), { ...PLAN, ...plan }, goOn(), quiet(), (name) =>
    steps.push(name),
  );
  return { seen, steps };
}

test('goes through each step of a WebSocket, in order', async () => {
  const options = { perMessageDeflate: true, handleProtocols: (names: Set<string>) => [...names][1]! };
  const port = await serve({ onSocket: echo, options });
  const { seen, steps } = await check(`ws://127.0.0.1:${port}/`, { subprotocols: ['a', 'b'], plan: { idleMs: 20 } });
  expect(steps).toEqual(['connect', 'handshake', 'echo', 'ping', 'idle', 'pingAfterIdle', 'close']);
  expect(seen.handshake).toMatchObject({ status: 101, subprotocol: 'b', extensions: 'permessage-deflate' });
  expect(seen.idle).toMatchObject({ wantedMs: 20, serverPings: 0, messages: 0 });
  expect(seen.close).toMatchObject({ code: 1000 });
  expect(Object.values(seen).filter(({ problem }) => problem !== undefined)).toEqual([]);
});

test('says with what TLS, and rejects a certificate that is not trusted', async () => {
  const made = await generate([{ name: 'commonName', value: 'shop.example.com' }]);
  const port = await serve({ onSocket: echo, tls: { key: made.private, cert: made.cert } });
  const rejected = await check(`wss://127.0.0.1:${port}/`);
  expect(rejected.steps).toEqual(['connect', 'handshake']);
  expect(rejected.seen.handshake!.problem).toMatch(/self.signed certificate/);
  const { seen, steps } = await check(`wss://127.0.0.1:${port}/`, { insecure: true });
  expect(steps.slice(0, 3)).toEqual(['connect', 'tls', 'handshake']);
  expect(seen.tls).toMatchObject({ protocol: 'TLSv1.3', subject: 'shop.example.com', issuer: 'shop.example.com' });
  expect(seen.tls!.untrusted).toMatch(/SELF_SIGNED/);
  expect(seen.tls!.daysLeft).toBeGreaterThan(300);
});

test('a silence that ends in a close is named, with how', async () => {
  const rude = await serve({
    onSocket: (socket) =>
      void echo(socket)
        .on('pong', () => undefined)
        .on('ping', () => setTimeout(() => socket.terminate(), 20)),
  });
  const { seen, steps } = await check(`ws://127.0.0.1:${rude}/`, { plan: { idleMs: 600_000 } });
  expect(steps.at(-1)).toBe('idle');
  expect(seen.idle!.problem).toMatch(/^closed without a Close frame \(1006\) after \d+(\.\d)? s$/);
  const polite = await serve({ onSocket: (socket) => void echo(socket).on('ping', () => socket.close(1001, 'idle')) });
  const other = await check(`ws://127.0.0.1:${polite}/`, { plan: { idleMs: 600_000 } });
  expect(other.seen.idle!.problem).toMatch(/^closed by the server with 1001 \(idle\) after /);
});

test('pings of the server are counted: with them the connection was not silent', async () => {
  const port = await serve({
    onSocket: (socket) => {
      const timer = setInterval(() => socket.ping(), 20);
      echo(socket).on('close', () => clearInterval(timer));
    },
  });
  const { seen } = await check(`ws://127.0.0.1:${port}/`, { plan: { idleMs: 300 } });
  expect(seen.idle!.serverPings).toBeGreaterThan(0);
  expect(seen.idle!.problem).toBeUndefined();
});

test('a rejection says its status, when to come again, and what it has to say', async () => {
  const port = await serve({ onRequest: () => undefined });
  const busy = await serve({
    onRequest: (_, response) => response.writeHead(503, { 'retry-after': '7' }).end('too\nmany'),
  });
  // Node serves an upgrade that nothing listens to as a request.
  const { seen, steps } = await check(`ws://127.0.0.1:${busy}/`);
  expect(steps).toEqual(['connect', 'handshake']);
  expect(seen.handshake).toMatchObject({
    status: 503,
    problem: 'HTTP status 503, not 101: Retry-After 7: too many',
  });
  const silent = await check(`ws://127.0.0.1:${port}/`, { timeoutMs: 100 });
  expect(silent.seen.handshake!.problem).toMatch(/timed out/);
});

test('a server that speaks another subprotocol, or none that was offered, is named', async () => {
  const port = await serve({ onSocket: echo, options: { handleProtocols: () => false } });
  const { seen } = await check(`ws://127.0.0.1:${port}/`, { subprotocols: ['chat'] });
  expect(seen.handshake).toMatchObject({ status: 101, problem: 'Server sent no subprotocol' });
});

test('a server that does not echo is named, unless no echo is expected', async () => {
  const leaves = await serve({
    onSocket: (socket) =>
      void socket.on('message', () => {
        socket.send('hello');
        socket.close(1000);
      }),
  });
  const { seen, steps } = await check(`ws://127.0.0.1:${leaves}/`);
  expect(seen.echo!.problem).toBe('closed by the server with 1000, but 1 messages that are none');
  expect(steps.at(-1)).toBe('echo');
  const port = await serve({ onSocket: (socket) => void socket.on('message', () => socket.send('hello')) });
  const any = await check(`ws://127.0.0.1:${port}/`, { plan: { expectation: 'any' } });
  expect(any.seen.echo!.problem).toBeUndefined();
  const none = await check(`ws://127.0.0.1:${port}/`, { plan: { expectation: 'none' } });
  expect(none.steps).toEqual(['connect', 'handshake', 'ping', 'close']);
});
