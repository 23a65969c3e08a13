import { connect } from 'node:http2';
import { Agent, request as httpsRequest } from 'node:https';
import { connect as connectTls } from 'node:tls';
import { Endpoint, connectionTo } from './endpoint';
import type { HttpResponse } from './transport';

/** What becomes of a request whose response is read as it comes. After `ended` or `failed` nothing is told. */
export interface StreamEvents {
  responded(head: Pick<HttpResponse, 'status' | 'headers'>): void;
  received(chunk: Buffer): void;
  /** The response is whole. */
  ended(): void;
  failed(error: Error): void;
}

export interface StreamRequest {
  /** @default GET */
  readonly method?: string;
  readonly path: string;
  readonly headers: Readonly<Record<string, string>>;
  readonly body?: string | undefined;
}

/** Sends a request on a connection of its own. */
export type AskForStream = (request: StreamRequest, notified: StreamEvents) => { destroy(error?: Error): void };

export function askOverHttp1(endpoint: Endpoint): AskForStream {
  const agent = new Agent({ keepAlive: false });
  return ({ method, path, headers, body }, notified) => {
    const request = { method: method ?? 'GET', path, headers: { host: endpoint.authority, ...headers } };
    const call = httpsRequest({ agent, ...connectionTo(endpoint), ...request }, (response) => {
      notified.responded({ status: response.statusCode ?? 0, headers: response.headers });
      response.on('data', notified.received);
      response.on('error', notified.failed);
      response.on('end', notified.ended);
    });
    call.on('error', notified.failed);
    call.end(body);
    return call;
  };
}

export function askOverHttp2(endpoint: Endpoint): AskForStream {
  const { authority } = endpoint;
  const to = { ...connectionTo(endpoint), ALPNProtocols: ['h2'] };
  return ({ method, path, headers, body }, notified) => {
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
    stream.on('data', (chunk: Buffer) => (early ? void early.push(chunk) : notified.received(chunk)));
    stream.on('response', (head) => {
      notified.responded({ status: head[':status'] ?? 0, headers: head });
      early?.forEach(notified.received);
      early = undefined;
    });
    stream.on('end', () => (hasEnded = true));
    stream.on('error', notified.failed);
    stream.on('close', () => {
      session.destroy();
      // A reset ends what is read, too.
      if (hasEnded && stream.rstCode === 0) notified.ended();
      else notified.failed(new Error(`a stream closed with code ${stream.rstCode}`));
    });
    return stream;
  };
}
