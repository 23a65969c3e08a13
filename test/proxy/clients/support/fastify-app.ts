import { IncomingMessage, Server, ServerResponse } from 'node:http';
import { PassThrough } from 'node:stream';
import { createHash } from 'node:crypto';
import fastify, { FastifyInstance } from 'fastify';
import { later, findPort } from '../../support/world';
import { computeDigest, findStream } from './bytes';

export const BODY_LIMIT = 64 * 1024;

export interface FastifyApp {
  readonly port: number;
  readonly server: Server;
}

/** An app as the guides of Fastify show it: schemas, streams, trailers, a limit on bodies, errors. */
export async function startFastifyApp(): Promise<FastifyApp> {
  const app = fastify({ bodyLimit: BODY_LIMIT, forceCloseConnections: true, trustProxy: true });
  responds(app);
  streams(app);
  expectations(app.server);
  await app.listen({ host: '127.0.0.1', port: 0 });
  later(() => app.close());
  return { port: findPort(app.server), server: app.server };
}

function responds(app: FastifyInstance): void {
  const schema = { body: { type: 'object', required: ['name'], properties: { name: { type: 'string' } } } };
  app.get('/json', async ({ query, ip, hostname }) => ({ hello: 'world', query, ip, hostname }));
  app.post('/json', { schema }, async ({ body }, reply) => reply.code(201).send({ got: body }));
  app.get('/nothing', async (_, reply) => reply.code(204).send());
  app.get('/old', async (_, reply) => reply.redirect('/json', 308));
  app.get('/fails', async () => {
    throw Object.assign(new Error('on purpose'), { statusCode: 503 });
  });
  app.get('/hints', async (_, reply) => {
    reply.raw.writeEarlyHints({ link: '</style.css>; rel=preload; as=style' });
    return reply.send('hinted');
  });
}

/** Bodies of this type go to the handler as they come. */
const RAW = 'application/octet-stream';

function streams(app: FastifyInstance): void {
  app.addContentTypeParser(RAW, { bodyLimit: 2 ** 30 }, (_, body, done) => done(null, body));
  app.put('/upload', async ({ body, raw }) => ({
    ...(await computeDigest(body as IncomingMessage)),
    trailers: raw.trailers,
  }));
  app.get<{ Querystring: { length: number } }>('/download', async ({ query }, reply) =>
    reply.type(RAW).send(findStream(Number(query.length))),
  );
  app.get<{ Querystring: { length: number } }>('/summed', async ({ query }, reply) => {
    const hash = createHash('sha256');
    const body = new PassThrough().on('data', (piece: Buffer) => hash.update(piece));
    reply.trailer('x-sha256', async () => hash.digest('hex'));
    void findStream(Number(query.length)).pipe(body);
    return reply.type(RAW).send(body);
  });
}

/** Agrees to every upload that asks first, except those that come with a bad password. */
function expectations(server: Server): void {
  server.on('checkContinue', (request: IncomingMessage, response: ServerResponse) => {
    if (request.headers.authorization === 'Basic bad') {
      response.writeHead(401, { 'www-authenticate': 'Basic' }).end('ask again');
      return;
    }
    response.writeContinue();
    server.emit('request', request, response);
  });
}
