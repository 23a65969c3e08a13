import type { EventEmitter } from 'node:events';
import {
  Client,
  Metadata,
  Server,
  ServerCredentials,
  ServiceDefinition,
  UntypedServiceImplementation,
  credentials,
  type MethodDefinition,
  type ServiceError,
  type StatusObject,
} from '@grpc/grpc-js';
import { later } from '../../../support/world';

const same = (bytes: Buffer) => bytes;

/** A method of raw bytes: nothing here needs a schema. */
function method(name: string, requestStream: boolean, responseStream: boolean): MethodDefinition<Buffer, Buffer> {
  return {
    path: `/test.Calls/${name}`,
    requestStream,
    responseStream,
    requestSerialize: same,
    requestDeserialize: same,
    responseSerialize: same,
    responseDeserialize: same,
  };
}

const METHODS = {
  unary: method('Unary', false, false),
  serverStream: method('ServerStream', false, true),
  clientStream: method('ClientStream', true, false),
  chat: method('Chat', true, true),
} satisfies ServiceDefinition;

/** A grpc-js server; returns its port. */
export async function startGrpcServer(implementation: Partial<UntypedServiceImplementation>): Promise<number> {
  const server = new Server();
  server.addService(METHODS, implementation as UntypedServiceImplementation);
  const port = await new Promise<number>((resolve, reject) => {
    server.bindAsync('127.0.0.1:0', ServerCredentials.createInsecure(), (error, bound) =>
      error ? reject(error) : resolve(bound),
    );
  });
  later(() => server.forceShutdown());
  return port;
}

/** What came of one call. */
export interface Called {
  messages: string[];
  code: number | undefined;
  details: string;
  trailing: Metadata | undefined;
}

export class GrpcClient {
  private readonly client: Client;

  constructor(port: number) {
    this.client = new Client(`127.0.0.1:${port}`, credentials.createInsecure());
    later(() => this.client.close());
  }

  unary(message: string, metadata = new Metadata(), deadlineMs = 20_000): Called {
    const called = nothingYet();
    const options = { deadline: Date.now() + deadlineMs };
    const { path } = METHODS.unary;
    const responded = (_: ServiceError | null, response?: Buffer) => {
      if (response) called.messages.push(response.toString());
    };
    const call = this.client.makeUnaryRequest(path, same, same, Buffer.from(message), metadata, options, responded);
    call.on('status', (status) => Object.assign(called, findStatus(status)));
    return called;
  }

  serverStream(message: string) {
    return this.client.makeServerStreamRequest(METHODS.serverStream.path, same, same, Buffer.from(message));
  }

  clientStream(called: Called) {
    const responded = (_: ServiceError | null, response?: Buffer) => {
      if (response) called.messages.push(response.toString());
    };
    const call = this.client.makeClientStreamRequest(METHODS.clientStream.path, same, same, responded);
    call.on('status', (status) => Object.assign(called, findStatus(status)));
    return call;
  }

  chat() {
    return this.client.makeBidiStreamRequest(METHODS.chat.path, same, same);
  }
}

export function nothingYet(): Called {
  return { messages: [], code: undefined, details: '', trailing: undefined };
}

/** Follows a call that brings messages. */
export function follow(call: EventEmitter): Called {
  const called = nothingYet();
  call.on('data', (message: Buffer) => called.messages.push(message.toString()));
  call.on('error', () => undefined);
  call.on('status', (status: StatusObject) => Object.assign(called, findStatus(status)));
  return called;
}

function findStatus({ code, details, metadata }: StatusObject): Partial<Called> {
  return { code, details, trailing: metadata };
}
