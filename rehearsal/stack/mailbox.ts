import { randomUUID } from 'node:crypto';
import { IncomingMessage, createServer } from 'node:http';
import type { AddressInfo } from 'node:net';

/** Where one response may be put, once: what a presigned URL is at AWS. */
interface Mailbox {
  readonly url: string;
  /** The first body that was put there. */
  readonly responded: Promise<string>;
  close(): void;
}

const CLOSE_GRACE_MS = 1_000;

export async function openMailbox(): Promise<Mailbox> {
  const path = `/${randomUUID()}`;
  let settle: (body: string) => void = () => undefined;
  const responded = new Promise<string>((resolve) => (settle = resolve));
  const server = createServer((request, response) => {
    if (request.method !== 'PUT' || request.url !== path) return void response.writeHead(403).end();
    findBody(request).then(
      (body) => {
        settle(body);
        response.writeHead(200, { connection: 'close' }).end();
      },
      // What is not whole was never put: the client may try again.
      () => response.destroy(),
    );
  });
  await new Promise<void>((resolve, reject) => {
    server.once('error', reject);
    server.listen(0, '127.0.0.1', resolve);
  });
  const { port } = server.address() as AddressInfo;
  return {
    url: `http://127.0.0.1:${port}${path}`,
    responded,
    close: () => {
      server.close();
      // A client that has just put a response still gets its own.
      setTimeout(() => server.closeAllConnections(), CLOSE_GRACE_MS).unref();
    },
  };
}

/** @throws Error when the client goes away before its end */
async function findBody(request: IncomingMessage): Promise<string> {
  const chunks: Buffer[] = [];
  for await (const chunk of request as AsyncIterable<Buffer>) chunks.push(chunk);
  return Buffer.concat(chunks).toString();
}
