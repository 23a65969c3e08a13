import { Socket } from 'node:net';
import tls from 'node:tls';
import { SessionStore } from '../../../../proxy/session-store/session-store';
import type { SessionStoreConfig } from '../../../../proxy/config/session-store-settings';
import { FakeClock } from '../../support/fake-clock';
import { later, findPort, startRawBackend, until } from '../../support/world';

/** A server that notes what it is sent, and responds as it is told: a text for each command that came whole. */
export interface TestStore {
  readonly port: number;
  readonly heard: string[][];
  readonly sockets: Set<Socket>;
  respond: (command: readonly string[]) => string | undefined;
}

const OBLIGING = (command: readonly string[]) => (command[0] === 'PING' ? '+PONG\r\n' : '+OK\r\n');

export async function startStore(certificate?: { cert: string; key: string }): Promise<TestStore> {
  const serve = (socket: Socket) => {
    socket.on('error', () => undefined);
    store.sockets.add(socket);
    socket.on('close', () => store.sockets.delete(socket));
    let pending = '';
    socket.on('data', (bytes) => {
      pending += bytes.toString();
      for (let read = findCommand(pending); read; read = findCommand(pending)) {
        pending = pending.slice(read.length);
        store.heard.push(read.command);
        const response = store.respond(read.command);
        if (response !== undefined && !socket.destroyed) socket.write(response);
      }
    });
  };
  const port = certificate ? await startTls(certificate, serve) : await startRawBackend(serve);
  const store: TestStore = { port, heard: [], sockets: new Set(), respond: OBLIGING };
  return store;
}

async function startTls(certificate: { cert: string; key: string }, serve: (socket: Socket) => void): Promise<number> {
  const server = tls.createServer(certificate, serve);
  server.on('tlsClientError', () => undefined);
  await new Promise<void>((resolve) => server.listen(0, '127.0.0.1', resolve));
  later(() => void server.close());
  return findPort(server);
}

/** The first command of a text, and its length; undefined when it is not whole. */
function findCommand(text: string): { readonly command: string[]; readonly length: number } | undefined {
  const head = /^\*(\d+)\r\n/.exec(text);
  if (!head) return undefined;
  const command: string[] = [];
  let at = head[0].length;
  for (let part = 0; part < Number(head[1]); part += 1) {
    const size = /^\$(\d+)\r\n/.exec(text.slice(at));
    if (!size) return undefined;
    const begin = at + size[0].length;
    const end = begin + Number(size[1]);
    if (text.length < end + 2) return undefined;
    command.push(text.slice(begin, end));
    at = end + 2;
  }
  return { command, length: at };
}

/** What looks at a store, on a clock that the test turns. */
export function watch(config: Partial<SessionStoreConfig> & { readonly port: number }) {
  const clock = new FakeClock();
  const lines: string[] = [];
  const note = (line: string) => void lines.push(line);
  const store = new SessionStore({ host: '127.0.0.1', isTls: false, isRequired: false, ...config }, clock, {
    info: note,
    warn: note,
  });
  later(() => store.stop());
  const isConnected = (isExpected: boolean) => until(() => store.isConnected === isExpected);
  return { clock, lines, store, isConnected };
}
