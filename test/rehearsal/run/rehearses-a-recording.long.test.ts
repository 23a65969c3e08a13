import { readFileSync, rmSync, writeFileSync } from 'node:fs';
import { createServer } from 'node:http';
import type { AddressInfo } from 'node:net';
import { join } from 'node:path';
import { gzipSync } from 'node:zlib';
import { formatExportLine } from '../../../core/capture/export-line';
import type { RehearsalEvidence } from '../../../rehearsal/report/evidence';
import { MadeExchange, get, partsOf, put } from '../../support/recorded';
import { Command, FREE_PORTS, synthesize, temporaryFolder } from '../command';

let folder: string;
let app: string;
let recording: string;
const closers: (() => void)[] = [];
const commands: Command[] = [];

beforeAll(() => {
  folder = temporaryFolder();
  app = synthesize(folder);
  recording = record();
});
afterEach(async () => {
  for (const command of commands.splice(0)) {
    command.signal('SIGKILL');
    await command.ended;
  }
  for (const close of closers.splice(0)) close();
});
afterAll(() => rmSync(folder, { recursive: true, force: true }));

/** A shop: each response has an id of its own. */
const describeItem = (url: string, price: number, id: number) => JSON.stringify({ url, price, request: `r-${id}` });
const respond = (body: string) =>
  `HTTP/1.1 200 OK\r\nContent-Type: application/json\r\nContent-Length: ${body.length}\r\n\r\n${body}`;

/** Two seconds of twenty clients: each writes an item and reads it, again and again. */
function record(): string {
  const exchanges = Array.from({ length: 200 }, (_, n): MadeExchange => {
    const client = n % 20;
    const turn = Math.floor(n / 20);
    const path = `/items/${client}`;
    const request = turn % 2 === 0 ? put(path, '{"count":1}', 'shop') : get(path);
    const place = { connection: `c${client}`, n: turn, startMs: n * 10, endMs: n * 10 + 5 };
    return { ...place, request, response: respond(describeItem(path, 12, n)) };
  });
  const file = join(folder, 'capture.proto.gz');
  writeFileSync(file, gzipSync(partsOf(exchanges).map(formatExportLine).join('')));
  return file;
}

async function startShop(price: number): Promise<string> {
  let seen = 0;
  const server = createServer((request, response) => {
    seen += 1;
    request.resume();
    request.on('end', () => {
      const isOurs = request.url?.startsWith('/items/') === true;
      response.writeHead(200, { 'content-type': 'application/json' });
      response.end(isOurs ? describeItem(request.url ?? '', price, seen) : '{}');
    });
  });
  await new Promise<void>((resolve) => server.listen(0, '127.0.0.1', resolve));
  closers.push(() => {
    server.closeAllConnections();
    server.close();
  });
  return `http://127.0.0.1:${(server.address() as AddressInfo).port}`;
}

async function rehearse(name: string, prices: readonly [number, number]) {
  const [source, target] = await Promise.all(prices.map(startShop));
  const plan = join(folder, 'plan.yaml');
  writeFileSync(
    plan,
    'smoke: [{ path: /health }]\npollSeconds: 1\nstages:\n' +
      '  - { weights: { source: 50, target: 50 }, bakeSeconds: 5 }\n' +
      '  - { weights: { source: 0, target: 100 }, bakeSeconds: 3 }\n',
  );
  const [json, compare] = [join(folder, `${name}.json`), join(folder, `${name}.html`)];
  const args = [
    ...['rehearse', '--app', app, ...FREE_PORTS, '--plan', plan, '--speed', '1', '--traffic', '2'],
    ...['--replay', recording, '--source', source!, '--target', target!, '--key', '/items/{key}'],
    ...['--json', json, '--compare', compare],
  ];
  const command = new Command(args);
  commands.push(command);
  const { code, output } = await command.ended;

  const evidence = () => JSON.parse(readFileSync(json, 'utf8')) as RehearsalEvidence;
  return { code, output, evidence, page: () => readFileSync(compare, 'utf8') };
}

test('a recording is the traffic of a cutover between own backends: nothing fails, and ids are noise', async () => {
  const { code, output, evidence } = await rehearse('alike', [12, 12]);
  if (code !== 0) throw new Error(`the cutover must complete, got exit code ${code}:\n${output.slice(-4_000)}`);
  const { traffic, recordingSeen } = evidence();
  expect(output).toContain('the recording: 200 requests of 2.0s, sent at 200 a second');
  expect(traffic.http.failed).toBe(0);
  expect(traffic.http.sent).toBe(traffic.http.ok);
  const { rounds, comparison } = recordingSeen!;
  expect(rounds).toBeGreaterThan(5);
  expect(comparison.comparisons).toBeGreaterThan(300);
  expect(comparison.repeats).toBeGreaterThan(50);
  expect(comparison.verdict).not.toBe('roll back');
  const differing = comparison.routes.flatMap(({ fields }) => fields.map(({ field, finding }) => [field, finding]));
  expect(differing).toEqual(expect.arrayContaining([['body.request', 'noise']]));
  expect(differing.map(([field]) => field)).not.toContain('body.price');
});

test('a target with another price is found while clients get 200 from both sides: exit code, table and page', async () => {
  const { code, output, evidence, page } = await rehearse('other-price', [12, 13]);
  const { recordingSeen, verdict, outcome } = evidence();
  expect([outcome, code]).toEqual(['completed', 4]);
  expect(recordingSeen?.comparison.verdict).toBe('roll back');
  expect(verdict.lost.join()).toContain('the target responds otherwise than the source');
  expect(output).toMatch(/^ {2}differs +\S+ \/items\/\S+ +body\.price/m);
  expect(page()).toContain('body.price');
});
