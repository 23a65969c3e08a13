import http2, { ServerHttp2Session } from 'node:http2';
import v8 from 'node:v8';
import { later, findPort, startBackend, startEngine, stopAll, until } from '../proxy/support/world';

afterEach(stopAll);

const SESSIONS = 20;

/** What Node makes for the server's side of a connection. */
async function sessionClass(): Promise<NewableFunction> {
  const server = http2.createServer();
  const made = new Promise<ServerHttp2Session>((resolve) => server.once('session', resolve));
  await new Promise<void>((resolve) => server.listen(0, '127.0.0.1', resolve));
  const client = http2.connect(`http://127.0.0.1:${findPort(server)}`);
  later(() => {
    client.destroy();
    server.close();
  });
  const session = await made;
  return (Object.getPrototypeOf(session) as { constructor: NewableFunction }).constructor;
}

/** `node:http2` leaves the timeout of a session in force when that is destroyed, and the timeout keeps the session. */
test('a closed HTTP/2 connection leaves nothing behind, long before its idle time has ended', async () => {
  const ServerSession = await sessionClass();
  const live = () => v8.queryObjects(ServerSession, { format: 'count' });
  const backend = await startBackend((_, response) => void response.end());
  const engine = await startEngine(backend.port);
  const before = live();
  for (let n = 0; n < SESSIONS; n += 1) {
    const session = http2.connect(`http://127.0.0.1:${engine.port}`);
    const stream = session.request({ ':path': '/' }).resume();
    await new Promise((resolve) => stream.once('close', resolve));
    session.close();
    await new Promise((resolve) => session.once('close', resolve));
  }
  await until(() => live() <= before);
});
