import { execFile } from 'node:child_process';
import { join, resolve } from 'node:path';
import { promisify } from 'node:util';
import type { Evidence } from '../../../core/cutover/evidence';
import { looksKey, looksPrefix } from '../../../core/cutover/looks';
import type { PackedReport, PollRecord } from '../../../core/judge/look-record';
import { LOOK_SECONDS } from '../../../core/plan/looking';
import { LocalCloud, REGION, startLocalCloud } from '../../rehearsal/aws/world';
import { MemoryCloud } from '../world';

const DIST = join(resolve(__dirname, '../../..'), 'dist/lambda');
const ROUTES = Array.from({ length: 8 }, (_, index) => `/route-${index}`);
const POLLS = 86_400 / LOOK_SECONDS;
/** Records of one object, as a step that polls for a minute writes them. */
const TOGETHER = 20;
/** MiB of the heap. A function of 256 MiB has more: what Node itself takes, and the SDK, is beside it. */
const HEAP = 64;

/** As a busy target makes them. */
const WINDOW = [412, 40, 412, 1, 1, ...Array.from({ length: 12 }, (_, bucket) => (bucket * 7) % 40)];
const REPORT: PackedReport = { all: WINDOW, routes: Object.fromEntries(ROUTES.map((route) => [route, WINDOW])) };
const COUNTS = [17_798_400, 17_798_380, 43_200, 0, 0, 0, 0, 0, 0, 21_600, 20];
const poll = (at: number): PollRecord => ({
  ...{ kind: 'poll', at: 1_800_000_000_000 + at * 2_000, after: 1_800_000_000 + at * 2, until: 1_800_000_002 + at * 2 },
  ...{ windows: { source: REPORT, target: REPORT }, counts: { source: COUNTS, target: COUNTS } },
  ...{ isServing: true, isConfirmed: true, odds: 0.9510961922739929 },
});

/** The step as it is deployed, and what else it would call left out. */
const STEP = `
const { complete } = require(process.argv[1] + '/steps/complete.js');
const { storePort } = require(process.argv[1] + '/adapters/store/store.js');
const run = JSON.parse(process.argv[2]);
const ports = {
  store: storePort('store'),
  proxies: { addresses: () => Promise.resolve([]) },
  notifier: { places: {}, tell: () => Promise.resolve() },
  now: Date.now,
};
const began = performance.now();
complete(run, ports, Date.now()).then(
  () => console.log(JSON.stringify({ ms: performance.now() - began, maxRss: process.resourceUsage().maxRSS / 1024 })),
  (error) => { console.error(error); process.exitCode = 1; },
);`;

let cloud: LocalCloud;
beforeEach(async () => (cloud = await startLocalCloud()));
afterEach(() => cloud.stop());

test('the last step of a day with eight routes leaves all of its polls, in a quarter of its memory, and reads none of them', async () => {
  const memory = new MemoryCloud();
  const tail = [poll(POLLS)];
  const written = POLLS / TOGETHER;
  const run = { ...memory.ready(), looks: { records: tail, written, lost: 0, kept: POLLS + 1 }, isVerified: true };
  cloud.objects.put('store', 'lock.json', Buffer.from(JSON.stringify(run)));
  for (let number = 1; number <= written; number += 1) {
    const records = Array.from({ length: TOGETHER }, (_, index) => poll((number - 1) * TOGETHER + index));
    cloud.objects.put('store', looksKey(looksPrefix('night'), number), Buffer.from(JSON.stringify(records)));
  }
  const env = {
    ...process.env,
    AWS_ENDPOINT_URL: cloud.url,
    AWS_REGION: REGION,
    AWS_ACCESS_KEY_ID: 'ID',
    AWS_SECRET_ACCESS_KEY: 'none',
  };
  const flags = [`--max-old-space-size=${HEAP}`, '-e', STEP, DIST, JSON.stringify(run)];
  const { stdout } = await promisify(execFile)(process.execPath, flags, { env });
  expect(JSON.parse(stdout)).toEqual({ ms: expect.any(Number) as number, maxRss: expect.any(Number) as number });
  const text = String(cloud.objects.find('store', 'evidence/night.json')?.body);
  const evidence = JSON.parse(text) as Evidence;
  const looksIn = { prefix: looksPrefix('night'), objects: written };
  expect(evidence).toMatchObject({ outcome: 'completed', looksKept: POLLS + 1, looks: tail, looksIn });
  expect(text.length).toBeLessThan(50_000);
  const gets = cloud.calls.filter(({ action }) => action === 'GetObject').length;
  expect(gets).toBeLessThan(6);
});
