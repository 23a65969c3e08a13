import {
  Server,
  ServerCredentials,
  status,
  type sendUnaryData,
  type ServerDuplexStream,
  type ServerReadableStream,
  type ServerUnaryCall,
  type ServerWritableStream,
} from '@grpc/grpc-js';
import type { Socket } from 'node:net';
import { setTimeout as pause } from 'node:timers/promises';
import { crc32 } from 'node:zlib';
import { METHODS } from './grpc-methods';

type Unary = ServerUnaryCall<Buffer, Buffer>;
type Counting = ServerWritableStream<Buffer, Buffer>;
type Response = sendUnaryData<Buffer>;

/** Serves `METHODS` on the connections that it is given. */
export function grpcService(): { injectConnection(connection: Socket): void } {
  const server = new Server();
  server.addService(METHODS, {
    Echo: ({ request }: Unary, response: Response) => response(null, request),
    Fail: ({ request }: Unary, response: Response) =>
      response({ code: status.FAILED_PRECONDITION, details: request.toString() }),
    Hang: () => undefined,
    Count: (call: Counting) => void count(call),
    Collect: collect,
    Chat: chat,
  });
  return server.createConnectionInjector(ServerCredentials.createInsecure());
}

async function count(call: Counting): Promise<void> {
  const [messages = '0', id = '', pauseMs = '0'] = call.request.toString().split(':');
  for (let index = 0; index < Number(messages) && !call.cancelled; index += 1) {
    call.write(Buffer.from(`${id} ${index}`));
    await pause(Number(pauseMs));
  }
  call.end();
}

function collect(call: ServerReadableStream<Buffer, Buffer>, response: Response): void {
  const seen = { messages: 0, bytes: 0, sum: 0 };
  call.on('data', (message: Buffer) => {
    seen.messages += 1;
    seen.bytes += message.length;
    seen.sum = crc32(message, seen.sum);
  });
  call.on('end', () => response(null, Buffer.from(`${seen.messages}:${seen.bytes}:${seen.sum}`)));
  call.on('error', () => undefined);
}

function chat(call: ServerDuplexStream<Buffer, Buffer>): void {
  call.on('data', (message: Buffer) => call.write(message));
  call.on('end', () => call.end());
  call.on('error', () => undefined);
}
