import { once } from 'node:events';
import { mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import type { Server } from 'node:http';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { pipeline } from 'node:stream';
import { createGzip } from 'node:zlib';
import express, { Express, Response } from 'express';
import { later, startBackend } from '../../support/world';
import { computeDigest, pieces, sha256, findStream } from './bytes';

export const PAGE = '<!doctype html><title>shop</title>\n'.repeat(200);

export interface ExpressApp {
  readonly port: number;
  readonly server: Server;
  /** Event streams that are open. */
  readonly listeners: ReadonlySet<Response>;
}

/** An app as the guides of Express show it: JSON, files, a login, streams both ways, events, errors. */
export async function startExpressApp(): Promise<ExpressApp> {
  const files = mkdtempSync(join(tmpdir(), 'drainshift-express-'));
  later(() => rmSync(files, { recursive: true }));
  writeFileSync(join(files, 'page.html'), PAGE);
  const listeners = new Set<Response>();
  const app = express();
  app.set('trust proxy', true);
  app.set('env', 'test');
  app.use('/files', express.static(files));
  responds(app);
  login(app);
  streams(app);
  events(app, listeners);
  const { port, server } = await startBackend(app);
  return { port, server, listeners };
}

function responds(app: Express): void {
  app.get('/json', (request, response) => response.json({ hello: 'world', query: request.query }));
  app.post('/json', express.json({ limit: '2mb' }), (request, response) =>
    response.status(201).json({ got: request.body }),
  );
  app.get('/who', (request, response) =>
    response.json({ ip: request.ip, hostname: request.hostname, protocol: request.protocol }),
  );
  app.get('/old', (_, response) => response.redirect(301, '/json?from=old'));
  app.post('/moved', (_, response) => response.redirect(307, '/json'));
  app.get('/nothing', (_, response) => response.status(204).end());
  app.get('/fails', () => {
    throw new Error('on purpose');
  });
  app.get('/breaks', (_, response, next) => {
    response.set({ 'content-type': 'text/plain' }).write('half of ');
    setImmediate(() => next(new Error('on purpose')));
  });
}

function login(app: Express): void {
  const sessions = new Map<string, string>();
  app.post('/login', express.urlencoded({ extended: false }), (request, response) => {
    const { user } = request.body as { user: string };
    const session = `s${sessions.size}`;
    sessions.set(session, user);
    response.cookie('session', session, { httpOnly: true }).cookie('theme', 'dark', { path: '/' });
    response.redirect(303, '/me');
  });
  app.get('/me', (request, response) => {
    const session = /(?:^|; )session=([^;]*)/.exec(request.get('cookie') ?? '')?.[1] ?? '';
    const user = sessions.get(session);
    response.status(user === undefined ? 401 : 200).json({ user });
  });
}

function streams(app: Express): void {
  app.get('/download', (request, response) => {
    const length = Number(request.query.length);
    response.set({ 'x-sha256': sha256(pieces(length)), 'content-type': 'application/octet-stream' });
    if (request.query.sized !== undefined) response.set({ 'content-length': String(length) });
    pipeline(findStream(length), response, () => undefined);
  });
  app.get('/gzip', (_, response) => {
    response.set({ 'content-encoding': 'gzip', 'content-type': 'text/html', vary: 'Accept-Encoding' });
    const gzip = createGzip();
    pipeline(gzip, response, () => undefined);
    gzip.end(PAGE);
  });
  app.put('/upload', async (request, response) => response.json(await computeDigest(request)));
  app.post('/echo', (request, response) => {
    response.set({ 'content-type': request.get('content-type') ?? 'application/octet-stream' });
    pipeline(request, response, () => undefined);
  });
}

function events(app: Express, listeners: Set<Response>): void {
  app.get('/events', async (request, response) => {
    response.set({ 'content-type': 'text/event-stream', 'cache-control': 'no-cache' });
    response.write(`retry: 500\n: since ${request.get('last-event-id') ?? 'the start'}\n\n`);
    listeners.add(response);
    await once(response, 'close');
    listeners.delete(response);
  });
}
