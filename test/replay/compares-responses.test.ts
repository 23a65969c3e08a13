import { mkdtempSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import type { ServerResponse } from 'node:http';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { gzipSync } from 'node:zlib';
import { formatExportLine } from '../../core/capture/export-line';
import type { CompareReport } from '../../core/compare/compare-report';
import { seededRandom } from '../../rehearsal/load-balancer/random';
import { Command } from '../rehearsal/command';
import { MadeExchange, partsOf } from '../support/recorded';
import { Arrival, Backend, startBackend } from './recording-backend';

/** Twice as many as the verdict takes most of the time: in which order responses come differs from run to run. */
const REQUESTS = 6_400;
const random = seededRandom(11);
let folder: string;
let source: Backend;

/** An item with an id of the request and a time in it, and hits in any order. */
function describeItem(url: string, price: number): string {
  const hits = [{ name: 'a' }, { name: 'b' }];
  const item = { url, price, requestId: `r-${random()}`, servedAt: random() * 1e9 };
  return JSON.stringify({ ...item, hits: random() < 0.3 ? hits.reverse() : hits });
}

const serve = (findPrice: (url: string) => number) => (arrival: Arrival, response: ServerResponse) => {
  response.setHeader('content-type', 'application/json');
  response.end(describeItem(arrival.url, findPrice(arrival.url)));
};

function record(): string {
  const exchanges = Array.from({ length: REQUESTS }, (_, n): MadeExchange => {
    const url = `/items/${n}`;
    const body = describeItem(url, 12);
    const head = `HTTP/1.1 200 OK\r\nContent-Type: application/json\r\nContent-Length: ${body.length}\r\n\r\n`;
    const place = { connection: `c${n % 10}`, n: Math.floor(n / 10), startMs: n, endMs: n + 0.5 };
    return { ...place, request: `GET ${url} HTTP/1.1\r\nHost: a\r\n\r\n`, response: head + body };
  });
  const path = join(folder, 'capture.proto.gz');
  writeFileSync(path, gzipSync(partsOf(exchanges).map(formatExportLine).join('')));
  return path;
}

async function replay(
  from: string,
  to: URL,
): Promise<{ readonly code: number | null; readonly report: CompareReport }> {
  const file = join(folder, 'compare.json');
  const repeat = ['--repeat-on', source.url.href, '--repeat-share', '1'];
  const args = [
    'replay',
    '--from',
    from,
    '--to',
    to.href,
    '--speed',
    'max',
    '--connections',
    '8',
    '--compare',
    file,
    ...repeat,
  ];
  const { code } = await new Command(args, { cwd: folder }).ended;
  return { code, report: JSON.parse(readFileSync(file, 'utf8')) as CompareReport };
}

beforeEach(async () => {
  folder = mkdtempSync(join(tmpdir(), 'compares-responses-'));
  source = await startBackend(serve(() => 12));
});
afterEach(async () => {
  await source.close();
  rmSync(folder, { recursive: true, force: true });
});

test('a replay promotes a target whose responses differ by noise alone, and no target that has another value in 10 % of them', async () => {
  const from = record();
  const good = await startBackend(serve(() => 12));
  const clean = await replay(from, good.url);
  await good.close();
  expect([clean.code, clean.report.verdict, clean.report.because]).toEqual([0, 'promote', expect.anything()]);
  const noisy = clean.report.routes[0]?.fields.map(({ field, finding }) => `${finding} ${field}`).sort();
  expect(noisy).toEqual(['noise body.hits', 'noise body.requestId', 'noise body.servedAt']);

  const other = await startBackend(serve((url) => (url.endsWith('0') ? 12.5 : 12)));
  const changed = await replay(from, other.url);
  await other.close();
  expect([changed.code, changed.report.because]).toEqual([
    1,
    [expect.stringMatching(/^GET \/items\/{id} body\.price: the target differs in 640 of 6,400 responses/)],
  ]);
  expect(changed.report.routes[0]?.fields[0]?.examples[0]).toMatchObject({
    kind: 'changed',
    source: '12',
    target: '12.5',
  });
});
