import { spawn, spawnSync } from 'node:child_process';
import { mkdtempSync, readFileSync, rmSync } from 'node:fs';
import http from 'node:http';
import type { AddressInfo } from 'node:net';
import { tmpdir } from 'node:os';
import { join, resolve } from 'node:path';
import { WebSocketServer } from 'ws';
import { startProxyCommand, type ProxyCommand } from '../proxy/clients/support/proxy-command';
import { callAdmin } from '../proxy/support/proxy-world';
import { later, stopAll, until } from '../proxy/support/world';

// Compiled, as a page and as Node get it: npm run build.
const CLIENT = resolve(__dirname, '../../dist/client');
const HAS_CHROMIUM = spawnSync('chromium', ['--version']).status === 0;
if (!HAS_CHROMIUM) process.stderr.write('SKIPPED in test/client/goes-through-a-cutover: chromium is not installed\n');

afterEach(stopAll);

/** What both backends share: what they did, by the ids of the messages. */
interface Store {
  /** In order, with the side that did it. */
  readonly processed: { readonly data: string; readonly side: string }[];
  readonly highest: Map<string, number>;
  /** What the page says of itself. */
  report: { sent: number; pending: number; codes: number[]; events: number[]; problems: string[] };
}

const script = (from: string, origin: string) => `
  ${from}
  const report = { sent: 0, pending: 0, codes: [], events: [], problems: [] };
  const socket = new ReconnectingWebSocket('${origin.replace('http', 'ws')}/chat', [], {
    minDelayMs: 50,
    ack: { write: (data, id) => JSON.stringify({ id, data }), read: (data) => JSON.parse(data).ack },
  });
  socket.onclose = ({ code }) => report.codes.push(code);
  const source = new ReconnectingEventSource('${origin}/events', { minDelayMs: 50 });
  source.onmessage = ({ data }) => report.events.push(Number(data));
  setInterval(() => {
    if (socket.pending.length < 50) socket.send('message ' + (report.sent += 1));
  }, 5);
  setInterval(() => {
    report.pending = socket.pending.length;
    fetch('${origin}/report', { method: 'POST', body: JSON.stringify(report) }).catch(() => undefined);
  }, 50);`;

async function startSide(side: string, store: Store): Promise<number> {
  const server = http.createServer((request, response) => {
    if (request.url === '/client.mjs') {
      response.setHeader('content-type', 'text/javascript').end(readFileSync(join(CLIENT, 'index.mjs')));
    } else if (request.url === '/report') {
      let body = '';
      request.on('data', (bytes: Buffer) => (body += bytes.toString()));
      request.on('end', () => {
        store.report = JSON.parse(body) as Store['report'];
        response.end();
      });
    } else if (request.url === '/events') {
      // A number that grows; the next backend goes on after the last id.
      let number = Number(request.headers['last-event-id'] ?? 0);
      response.writeHead(200, { 'content-type': 'text/event-stream' });
      const timer = setInterval(() => response.write(`id: ${++number}\ndata: ${number}\n\n`), 10);
      response.on('close', () => clearInterval(timer));
    } else {
      const from = "import { ReconnectingEventSource, ReconnectingWebSocket } from '/client.mjs';";
      const page = script(from, '').replace("'/chat'", "location.origin.replace('http', 'ws') + '/chat'");
      response.setHeader('content-type', 'text/html').end(`<script type="module">${page}</script>`);
    }
  });
  const sockets = new WebSocketServer({ server, path: '/chat' });
  sockets.on('connection', (socket) => {
    socket.on('message', (bytes: Buffer) => {
      const { id, data } = JSON.parse(bytes.toString()) as { id: string; data: string };
      const [sender, number] = id.split('-') as [string, string];
      if (Number(number) > (store.highest.get(sender) ?? 0)) {
        store.highest.set(sender, Number(number));
        store.processed.push({ data, side });
      }
      socket.send(JSON.stringify({ ack: id }));
    });
  });
  await new Promise<void>((listening) => server.listen(0, '127.0.0.1', listening));
  later(() => {
    for (const socket of sockets.clients) socket.terminate();
    server.close();
    server.closeAllConnections();
  });
  return (server.address() as AddressInfo).port;
}

function startChild(command: string, args: readonly string[]): void {
  const child = spawn(command, args, { stdio: 'ignore' });
  const exit = new Promise((resolved) => child.once('exit', resolved));
  later(async () => {
    child.kill();
    await exit;
  });
}

function startNode(origin: string): void {
  const from = `const { ReconnectingEventSource, ReconnectingWebSocket } = require('${join(CLIENT, 'index.cjs')}');`;
  startChild(process.execPath, ['-e', script(from, origin)]);
}

function startChromium(origin: string): void {
  const folder = mkdtempSync(join(tmpdir(), 'drainshift-chromium-'));
  later(() => rmSync(folder, { recursive: true, force: true, maxRetries: 5 }));
  const flags = ['--headless=new', '--no-sandbox', '--disable-gpu', '--no-proxy-server', `--user-data-dir=${folder}`];
  startChild('chromium', [...flags, `${origin}/`]);
}

async function retarget({ adminPort }: ProxyCommand, to: 'source' | 'target'): Promise<void> {
  const { status } = await callAdmin(adminPort, { method: 'POST', path: '/retarget', body: JSON.stringify({ to }) });
  expect(status).toBe(202);
}

const CLIENTS = [
  ['Node.js', startNode, test],
  ['Chromium', startChromium, HAS_CHROMIUM ? test : test.skip],
] as const;

for (const [name, start, run] of CLIENTS) {
  run(`${name} goes to the other backend and back: nothing is lost, and nothing is done twice`, async () => {
    const store: Store = {
      processed: [],
      highest: new Map(),
      report: { sent: 0, pending: 0, codes: [], events: [], problems: [] },
    };
    const [source, target] = [await startSide('source', store), await startSide('target', store)];
    // Neither can move: the client sees Close 1012, and the end of its stream.
    const flags = ['--other-upstream', `http://127.0.0.1:${target}`, '--moves-never', '/events'];
    const proxy = await startProxyCommand(source, { flags });
    start(`http://127.0.0.1:${proxy.port}`);
    const isAt = (side: string) => store.processed.at(-1)?.side === side;
    await until(() => isAt('source') && store.report.events.length > 10);
    for (const to of ['target', 'source', 'target'] as const) {
      const closes = store.report.codes.length;
      const events = store.report.events.length;
      await retarget(proxy, to);
      await until(() => isAt(to) && store.report.codes.length > closes && store.report.events.length > events + 20);
    }
    const { sent } = store.report;
    await until(() => store.processed.length >= sent);
    const done = store.processed.map(({ data }) => data);
    expect(done).toEqual(done.map((_, at) => `message ${at + 1}`));
    expect(store.report.codes).toEqual([1012, 1012, 1012]);
    expect(store.report.events).toEqual(store.report.events.map((_, at) => at + 1));
    expect(proxy.problems()).toEqual([]);
  });
}
