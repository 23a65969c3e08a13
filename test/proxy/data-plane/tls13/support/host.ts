// A process with TLS connections, and one that continues them: `tls13-processes.ts` bundles and starts it.
import { ChildProcess, fork } from 'node:child_process';
import { readFileSync } from 'node:fs';
import type { AddressInfo } from 'node:net';
import tls, { TLSSocket } from 'node:tls';
import { NO_USER, Transport } from '../../../../../proxy/data-plane/contract/transport';
import { TLS13_REJECTIONS } from '../../../../../proxy/data-plane/tls13/rejections';
import { TlsSource, takeTls13 } from '../../../../../proxy/data-plane/tls13/take-tls13';
import { decodeState, encodeState, tryState, wipeState } from '../../../../../proxy/data-plane/tls13/tls13-state';
import { Tls13Transport } from '../../../../../proxy/data-plane/tls13/tls13-transport';
import { watchTls13 } from '../../../../../proxy/data-plane/tls13/tls13-watch';
import { HandleTransport } from '../../../../../proxy/data-plane/transport/handle-transport';
import type { Handle } from '../../../../../proxy/data-plane/transport/native';
import { StreamTransport } from '../../../../../proxy/data-plane/transport/stream-transport';

/** Says each line back, with the name of the process before it. A GET gets numbered lines without end. */
class LineServer {
  private timer: NodeJS.Timeout | undefined;

  constructor(
    private readonly transport: Transport,
    private readonly name: string,
    private rest = '',
    private pushed = -1,
  ) {
    transport.user = {
      ...NO_USER,
      onData: (bytes, length) => this.take(bytes.toString('latin1', 0, length)),
      onEnd: () => transport.end(),
    };
    if (pushed >= 0) this.startPushing();
  }

  /** What the next process needs. */
  get snapshot() {
    return { rest: this.rest, pushed: this.pushed };
  }

  leave(): void {
    clearInterval(this.timer);
  }

  stay(): void {
    if (this.pushed >= 0) this.startPushing();
  }

  private take(text: string): void {
    const lines = (this.rest + text).split('\n');
    this.rest = lines.pop()!;
    for (const line of lines) {
      if (this.pushed >= 0) continue;
      if (!line.startsWith('GET')) this.transport.write(`${this.name}:${line.trim()}\n`);
      else {
        this.transport.write('HTTP/1.1 200 OK\r\nConnection: close\r\n\r\n');
        this.pushed = 0;
        this.startPushing();
      }
    }
  }

  private startPushing(): void {
    this.timer = setInterval(() => {
      if (this.transport.isDestroyed) return this.leave();
      if (this.transport.isBackedUp) return;
      this.transport.write(`${this.name}:${this.pushed}\n`);
      this.pushed += 1;
    }, 1);
  }
}

interface Live {
  readonly transport: Transport & TlsSource;
  readonly lines: LineServer;
}

const [, , role, certFile, keyFile] = process.argv;
if (role === 'next') next();
else first();

function first(): void {
  const live = new Map<TLSSocket, Live>();
  const server = tls.createServer({
    cert: readFileSync(certFile!),
    key: readFileSync(keyFile!),
    minVersion: 'TLSv1.2',
    ALPNProtocols: ['h2', 'http/1.1'],
    noDelay: true,
  });
  watchTls13(server);
  server.on('secureConnection', (socket: TLSSocket) => {
    const transport = new StreamTransport(socket);
    live.set(socket, { transport, lines: new LineServer(transport, 'A') });
    // What says nothing in one go with the handshake, as a proxy that asks a backend first.
    transport.pause();
    setImmediate(() => transport.resume());
    socket.on('close', () => live.delete(socket));
  });
  server.listen(0, '127.0.0.1', () => process.send!({ port: (server.address() as AddressInfo).port }));
  process.on('message', () => void handOver());
  process.on('disconnect', () => process.exit());

  async function handOver(): Promise<void> {
    const child = fork(__filename, ['next'], { serialization: 'advanced' });
    const rejected: Record<string, number> = {};
    const proofs: Record<string, number> = {};
    for (const connection of live.values()) {
      const result = await pass(child, connection);
      const into = result === 'opened' || result === 'counted' ? proofs : rejected;
      into[result] = (into[result] ?? 0) + 1;
    }
    process.send!({ rejected, proofs });
  }
}

/** Comes to an end because what may pass does, with clients that wait for responses. */
async function pass(child: ChildProcess, { transport, lines }: Live): Promise<string> {
  lines.leave();
  for (let attempt = 0; ; attempt += 1) {
    const taken = takeTls13(transport);
    if (typeof taken === 'string') {
      if (TLS13_REJECTIONS[taken].mayPass && attempt < 1_000) {
        await new Promise((resolve) => setTimeout(resolve, 1));
        continue;
      }
      lines.stay();
      return taken;
    }
    const state = encodeState(taken.state);
    const answered = new Promise((resolve) => child.once('message', resolve));
    child.send({ state, lines: lines.snapshot }, taken.handle as never);
    if ((await answered) === 'wrong') {
      taken.restore();
      lines.stay();
      return 'wrong';
    }
    taken.release();
    return taken.proof;
  }
}

function next(): void {
  process.on('message', (message: { state: Uint8Array; lines: LineServer['snapshot'] }, handle: Handle) => {
    const state = decodeState(Buffer.from(message.state));
    if (tryState(state) === 'wrong') {
      wipeState(state);
      process.send!('wrong');
      return;
    }
    const below = new HandleTransport(handle);
    new LineServer(new Tls13Transport(below, state), 'B', message.lines.rest, message.lines.pushed);
    process.send!('taken');
  });
}
