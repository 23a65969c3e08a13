import { connect } from 'node:http2';
import { Agent, request as httpsRequest } from 'node:https';
import { connect as connectTls } from 'node:tls';
import { Endpoint, connectionTo } from './options';
import type { HttpAnswer } from './transport';

/** What becomes of a request whose answer is read as it comes. After `ended` or `failed` nothing is told. */
export interface StreamEvents {
  answered(head: Pick<HttpAnswer, 'status' | 'headers'>): void;
  received(chunk: Buffer): void;
  /** The answer is whole. */
  ended(): void;
  failed(error: Error): void;
}

export interface StreamRequest {
  /** @default GET */
  readonly method?: 'GET' | 'POST';
  readonly path: string;
  readonly headers: Readonly<Record<string, string>>;
  readonly body?: string;
}

/** Sends a request on a connection of its own. */
export type AskForStream = (request: StreamRequest, told: StreamEvents) => { destroy(error?: Error): void };

export function askOverHttp1(endpoint: Endpoint): AskForStream {
  const agent = new Agent({ keepAlive: false });
  return ({ method, path, headers, body }, told) => {
    const request = { method: method ?? 'GET', path, headers: { host: endpoint.authority, ...headers } };
    const call = httpsRequest({ agent, ...connectionTo(endpoint), ...request }, (answer) => {
      told.answered({ status: answer.statusCode ?? 0, headers: answer.headers });
      answer.on('data', told.received);
      answer.on('error', told.failed);
      answer.on('end', told.ended);
    });
    call.on('error', told.failed);
    call.end(body);
    return call;
  };
}

export function askOverHttp2(endpoint: Endpoint): AskForStream {
  const { authority } = endpoint;
  const to = { ...connectionTo(endpoint), ALPNProtocols: ['h2'] };
  return ({ method, path, headers, body }, told) => {
    const session = connect(`https://${authority}`, {
      createConnection: () => connectTls(to),
    });
    // What goes wrong is told by its stream.
    session.on('error', () => undefined);
    const stream = session.request({ ':method': method ?? 'GET', ':path': path, ':authority': authority, ...headers });
    stream.end(body);
    let hasEnded = false;
    // What came with the head may be told before it.
    let early: Buffer[] | undefined = [];
    stream.on('data', (chunk: Buffer) => (early ? void early.push(chunk) : told.received(chunk)));
    stream.on('response', (head) => {
      told.answered({ status: head[':status'] ?? 0, headers: head });
      early?.forEach(told.received);
      early = undefined;
    });
    stream.on('end', () => (hasEnded = true));
    stream.on('error', told.failed);
    stream.on('close', () => {
      session.destroy();
      // A reset ends what is read, too.
      if (hasEnded && stream.rstCode === 0) told.ended();
      else told.failed(new Error(`a stream closed with code ${stream.rstCode}`));
    });
    return stream;
  };
}
