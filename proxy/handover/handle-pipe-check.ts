import net, { AddressInfo, Server, Socket } from 'node:net';
import { NO_USER } from '../data-plane/contract/transport';
import { SelfCheck, Verdict, reachVerdict, withinTime } from '../data-plane/shared/self-check';
import { HandleTransport } from '../data-plane/transport/handle-transport';
import type { Handle } from '../data-plane/transport/native';
import { HandlePipe, PipeMessage } from './handle-pipe';
import { hasPipes } from './native-pipe';
import { PrivateSocket, listenPrivately } from '../data-plane/shared/private-socket';

/** Whether connections can be given to another process here. Where they cannot, none is, and all end where they are. */
export const handlePipes = new SelfCheck(tryHandlePipe);

const CHECK_MS = 10_000;
const RIGHT: Verdict = { result: 'right' };
const wrong = (why: string): Verdict => ({ result: 'wrong', why });
const BYTES = Buffer.from([0, 255, 13, 10]);

/** Gives both ends of a connection over a pipe, closes the copies that were given, and goes on with those that came. */
export async function tryHandlePipe(limitMs = CHECK_MS): Promise<Verdict> {
  if (process.platform === 'win32') return wrong('this system has no sockets that carry others');
  if (!hasPipes) return wrong('this Node.js has no such pipes');
  const trial = new Trial();
  try {
    return await withinTime(trial.run(), limitMs);
  } catch (error) {
    return reachVerdict(error);
  } finally {
    await trial.close();
  }
}

class Trial {
  private readonly open: { close(): void }[] = [];
  private socket: PrivateSocket | undefined;
  private server: Server | undefined;

  async run(): Promise<Verdict> {
    const [sender, receiver] = await this.connectPipes();
    const pair = await this.connectSockets();
    const came = new Promise<Required<PipeMessage>>((resolve, reject) =>
      receiver.start({
        onMessage: resolve,
        onEnd: () => reject(new Error('a pipe ends by itself')),
        onFault: reject,
      }),
    );
    came.catch(() => undefined);
    const transports = pair.map((socket) => new HandleTransport(socket));
    const packed = transports.map((transport) => transport.pack());
    const left = new Promise<void>((resolve) =>
      sender.send({ data: { text: 'ä' }, bytes: [BYTES], handles: packed.map(({ handle }) => handle) }, resolve),
    );
    const { data, bytes, handles } = await came;
    await left;
    if ((data as { text?: unknown }).text !== 'ä') return wrong('other data arrives than was sent');
    if (bytes.length !== 1 || !bytes[0]!.equals(BYTES)) return wrong('other bytes arrive than were sent');
    if (handles.length !== 2 || handles.some((handle) => typeof (handle as Handle).useUserBuffer !== 'function'))
      return wrong('other handles arrive than were sent');
    await Promise.all(packed.map(({ handle }) => new Promise<void>((resolve) => handle.close(() => resolve()))));
    return this.passesBytes(
      handles.map((handle) => HandleTransport.unpack({ ...packed[0]!, handle: handle as Handle, peer: undefined })),
    );
  }

  async close(): Promise<void> {
    for (const one of this.open) one.close();
    this.server?.close();
    await this.socket?.close();
  }

  private async connectPipes(): Promise<[HandlePipe, HandlePipe]> {
    let accept: (socket: Socket) => void = () => undefined;
    const accepting = new Promise<Socket>((resolve) => (accept = resolve));
    this.socket = await listenPrivately(accept);
    const sender = await HandlePipe.connect(this.socket.path);
    this.open.push(sender);
    const receiver = HandlePipe.accept(await accepting);
    this.open.push(receiver);
    return [sender, receiver];
  }

  private async connectSockets(): Promise<[Socket, Socket]> {
    const server = net.createServer({ pauseOnConnect: true, allowHalfOpen: true });
    this.server = server;
    await new Promise<void>((resolve, reject) => {
      server.once('error', reject);
      server.listen(0, '127.0.0.1', resolve);
    });
    const accepting = new Promise<Socket>((resolve) => server.once('connection', resolve));
    const client = net.connect({
      port: (server.address() as AddressInfo).port,
      host: '127.0.0.1',
      allowHalfOpen: true,
    });
    client.pause();
    this.open.push({ close: () => client.destroy() });
    await new Promise<void>((resolve, reject) => {
      client.once('error', reject);
      client.once('connect', resolve);
    });
    return [await accepting, client];
  }

  /** One end writes, the other reads it; then it ends, and the other sees that. */
  private passesBytes([from, to]: HandleTransport[]): Promise<Verdict> {
    this.open.push({ close: () => from!.destroy() }, { close: () => to!.destroy() });
    return new Promise((resolve) => {
      let text = '';
      to!.user = {
        ...NO_USER,
        onData: (bytes, length) => (text += bytes.toString('latin1', 0, length)),
        onEnd: () => resolve(text === BYTES.toString('latin1') ? RIGHT : wrong('bytes are lost on the way')),
        onClose: (error) => resolve(error ? reachVerdict(error) : wrong('a connection closes with its copy')),
      };
      to!.resume();
      from!.writeBytes(BYTES);
      from!.end();
    });
  }
}
