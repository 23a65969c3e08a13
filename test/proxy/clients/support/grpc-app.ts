import {
  Metadata,
  Server,
  ServerCredentials,
  ServerDuplexStream,
  ServerReadableStream,
  ServerUnaryCall,
  ServerWritableStream,
  ServiceDefinition,
  UntypedServiceImplementation,
  sendUnaryData,
  status,
} from '@grpc/grpc-js';
import { later } from '../../support/world';

const asIs = (bytes: Buffer) => bytes;
const method = (name: string, requestStream: boolean, responseStream: boolean) => ({
  path: `/shop.Orders/${name}`,
  requestStream,
  responseStream,
  requestSerialize: asIs,
  requestDeserialize: asIs,
  responseSerialize: asIs,
  responseDeserialize: asIs,
});

/** Messages are plain bytes, so that no schema is needed. */
export const ORDERS = {
  echo: method('Echo', false, false),
  fails: method('Fails', false, false),
  hangs: method('Hangs', false, false),
  count: method('Count', false, true),
  ticks: method('Ticks', false, true),
  collect: method('Collect', true, false),
  chat: method('Chat', true, true),
} satisfies ServiceDefinition;

export interface GrpcApp {
  readonly port: number;
  readonly server: Server;
  readonly seen: Seen;
}

interface Seen {
  /** Calls that their client gave up, or whose time was up. */
  readonly cancelled: string[];
  /** The time that `hangs` was given, in ms. */
  readonly granted: number[];
  /** Messages that `count` could write. */
  counted: number;
}

export async function startGrpcApp(): Promise<GrpcApp> {
  const server = new Server();
  const seen: Seen = { cancelled: [], granted: [], counted: 0 };
  server.addService(ORDERS, { ...unary(seen), ...streams(seen) });
  const port = await new Promise<number>((resolve, reject) =>
    server.bindAsync('127.0.0.1:0', ServerCredentials.createInsecure(), (error, bound) =>
      error === null ? resolve(bound) : reject(error),
    ),
  );
  later(() => server.forceShutdown());
  return { port, server, seen };
}

type Bytes = Buffer;

function unary(seen: Seen): UntypedServiceImplementation {
  return {
    echo(call: ServerUnaryCall<Bytes, Bytes>, response: sendUnaryData<Bytes>) {
      const early = new Metadata();
      for (const name of ['x-text', 'x-raw-bin', 'user-agent']) {
        for (const value of call.metadata.get(name)) early.add(name === 'user-agent' ? 'x-agent' : name, value);
      }
      early.set('x-host', call.getHost());
      call.sendMetadata(early);
      const late = new Metadata();
      late.set('x-late', 'at the end');
      late.set('x-late-bin', Buffer.from([0, 255, 10, 13]));
      response(null, call.request, late);
    },
    fails(_: ServerUnaryCall<Bytes, Bytes>, response: sendUnaryData<Bytes>) {
      const metadata = new Metadata();
      metadata.set('x-reason-bin', Buffer.from([1, 2, 3]));
      response({ code: status.FAILED_PRECONDITION, details: 'Läger leer: 100 %\nsold out', metadata });
    },
    hangs(call: ServerUnaryCall<Bytes, Bytes>) {
      seen.granted.push(Number(call.getDeadline()) - Date.now());
      call.on('cancelled', () => seen.cancelled.push('hangs'));
    },
  };
}

function streams(seen: Seen): UntypedServiceImplementation {
  return {
    count(call: ServerWritableStream<Bytes, Bytes>) {
      const [messages, length] = call.request.toString().split('x').map(Number) as [number, number];
      const send = (from: number) => {
        for (let index = from; index < messages; index += 1) {
          const message = Buffer.alloc(length, String(index % 10));
          seen.counted += 1;
          if (!call.write(message)) return call.once('drain', () => send(index + 1));
        }
        return call.end();
      };
      send(0);
    },
    ticks(call: ServerWritableStream<Bytes, Bytes>) {
      const timer = setInterval(() => call.write(Buffer.from('tick')), 5);
      call.on('cancelled', () => {
        clearInterval(timer);
        seen.cancelled.push('ticks');
      });
    },
    collect(call: ServerReadableStream<Bytes, Bytes>, response: sendUnaryData<Bytes>) {
      let [messages, bytes] = [0, 0];
      call.on('data', (message: Buffer) => ([messages, bytes] = [messages + 1, bytes + message.length]));
      call.on('end', () => response(null, Buffer.from(`${messages} messages of ${bytes} bytes`)));
    },
    chat(call: ServerDuplexStream<Bytes, Bytes>) {
      call.on('data', (message: Buffer) => call.write(Buffer.from(`you said ${message.toString()}`)));
      call.on('end', () => call.end());
      call.on('error', () => undefined);
    },
  };
}
