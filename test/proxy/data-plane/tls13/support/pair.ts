import { createCipheriv } from 'node:crypto';
import { once } from 'node:events';
import net, { AddressInfo, Socket } from 'node:net';
import { NO_USER } from '../../../../../proxy/data-plane/contract/transport';
import {
  CONTENT,
  ContentType,
  openRecord,
  sealRecord,
} from '../../../../../proxy/data-plane/tls13/record-layer/records';
import { RecordSplitter } from '../../../../../proxy/data-plane/tls13/record-layer/record-splitter';
import { Tls13Options, Tls13Transport } from '../../../../../proxy/data-plane/tls13/tls13-transport';
import type { Tls13State } from '../../../../../proxy/data-plane/tls13/tls13-state';
import { SUITES, Suite, TrafficKeys } from '../../../../../proxy/data-plane/tls13/record-layer/traffic-keys';
import { HandleTransport } from '../../../../../proxy/data-plane/transport/handle-transport';
import { until } from '../../../../support/until';

export interface Received {
  readonly type: ContentType;
  readonly content: Buffer;
}

/** A client that has every record in its hand, after a handshake that there never was. */
export class HandClient {
  readonly received: Received[] = [];
  hasEnded = false;
  private readonly splitter = new RecordSplitter();

  constructor(
    readonly socket: Socket,
    readonly write: TrafficKeys,
    readonly read: TrafficKeys,
  ) {
    socket.on('data', (bytes: Buffer) => {
      this.splitter.add(bytes, bytes.length);
      for (let record = this.splitter.next(); record !== undefined; record = this.splitter.next()) this.open(record);
      this.splitter.park();
    });
    socket.on('end', () => (this.hasEnded = true));
    socket.on('error', () => undefined);
  }

  seal(content: Buffer | string, type: number = CONTENT.applicationData): Buffer {
    const record = Buffer.alloc(content.length + 22);
    sealRecord(this.write, type as ContentType, content, record, 0);
    return record;
  }

  /** A record that no one may send: `inner` is its content, its type, and its padding. */
  sealInner(inner: Buffer): Buffer {
    const header = Buffer.from([CONTENT.applicationData, 3, 3, (inner.length + 16) >> 8, (inner.length + 16) & 255]);
    const nonce = Buffer.alloc(12);
    const { key } = this.write;
    this.write.nextNonce(nonce);
    const cipher = createCipheriv('aes-128-gcm', key, nonce);
    cipher.setAAD(header);
    return Buffer.concat([header, cipher.update(inner), cipher.final(), cipher.getAuthTag()]);
  }

  send(content: Buffer | string, type: number = CONTENT.applicationData): void {
    this.socket.write(this.seal(content, type));
  }

  /** All content that came. */
  get text(): string {
    return this.received
      .filter(({ type }) => type === CONTENT.applicationData)
      .map(({ content }) => content.toString('latin1'))
      .join('');
  }

  /** The numbers of the alerts that came. */
  get alerts(): number[] {
    return this.received.filter(({ type }) => type === CONTENT.alert).map(({ content }) => content[1]!);
  }

  get handshakes(): string[] {
    return this.received.filter(({ type }) => type === CONTENT.handshake).map(({ content }) => content.toString('hex'));
  }

  private open(record: Buffer): void {
    const { type, content, length } = openRecord(this.read, record);
    this.received.push({ type, content: Buffer.from(content.subarray(0, length)) });
    if (type === CONTENT.handshake) this.read.update();
  }
}

/** The user of a transport, who keeps all that happens. */
export class Recorder {
  text = '';
  readonly calls: string[] = [];
  error: Error | undefined;
  /** Called with each piece. */
  onText: (piece: string) => void = () => undefined;

  constructor(readonly transport: Tls13Transport) {
    transport.user = {
      ...NO_USER,
      onData: (bytes, length) => {
        const piece = bytes.toString('latin1', 0, length);
        this.text += piece;
        this.calls.push('data');
        this.onText(piece);
      },
      onDrain: () => this.calls.push('drain'),
      onEnd: () => this.calls.push('end'),
      onClose: (error) => {
        this.calls.push('close');
        this.error = error;
      },
    };
  }
}

export interface Pair {
  readonly client: HandClient;
  readonly transport: Tls13Transport;
  readonly user: Recorder;
}

export interface PairOptions extends Tls13Options {
  readonly suite?: Suite;
  readonly sequence?: number;
  /** What the process before left. */
  readonly left?: (client: TrafficKeys) => Partial<Pick<Tls13State, 'plaintext' | 'unopened' | 'maxContentBytes'>>;
}

const open: { destroy(): void }[] = [];
let server: net.Server | undefined;

/** Ends all pairs. */
export function closePairs(): void {
  for (const connection of open.splice(0)) connection.destroy();
  server?.close();
  server = undefined;
}

export function makeKeys(suite: Suite, fill: number, sequence = 0): TrafficKeys {
  return new TrafficKeys(suite, Buffer.alloc(suite.hashBytes, fill), sequence);
}

export async function connectPair(options: PairOptions = {}): Promise<Pair> {
  const { suite = SUITES[0]!, sequence = 3, left = () => ({}) } = options;
  if (server === undefined) {
    server = net.createServer({ pauseOnConnect: true, allowHalfOpen: true });
    server.listen(0, '127.0.0.1');
    await once(server, 'listening');
  }
  const accepting = once(server, 'connection') as Promise<[Socket]>;
  const socket = net.connect({ port: (server.address() as AddressInfo).port, host: '127.0.0.1', allowHalfOpen: true });
  const [accepted] = await accepting;
  const clientWrite = makeKeys(suite, 1, sequence);
  const state = {
    read: makeKeys(suite, 1, sequence),
    write: makeKeys(suite, 2, 5),
    ...{ maxContentBytes: 16_384, plaintext: Buffer.alloc(0), unopened: Buffer.alloc(0) },
    ...left(clientWrite),
  };
  const transport = new Tls13Transport(new HandleTransport(accepted), state, options);
  const client = new HandClient(socket, clientWrite, makeKeys(suite, 2, 5));
  open.push(socket, transport);
  return { client, transport, user: new Recorder(transport) };
}

export const untilText = (read: () => string, text: string) => until(() => read() === text);
