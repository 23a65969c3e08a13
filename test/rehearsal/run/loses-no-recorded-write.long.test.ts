import { rmSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { gunzipSync } from 'node:zlib';
import { parseExportLine } from '../../../core/capture/export-line';
import type { TrafficStream } from '../../../core/capture/traffic-stream';
import { PART_SUFFIX } from '../../../core/capture/part-name';
import { findServiceArn, listProxies } from '../../../rehearsal/faults/breakables';
import { sendSignal } from '../../../rehearsal/processes/signal';
import type { RunningRehearsal } from '../../../rehearsal/cloud/running-rehearsal';
import { findCaptureStore } from '../../../rehearsal/template/model/capture-store';
import { cutOver } from '../../../rehearsal/run/cut-over';
import { readBackWeights } from '../../../rehearsal/run/read-back';
import { standUp } from '../../../rehearsal/run/rehearse';
import type { ProgressReporter } from '../../../rehearsal/progress/progress-reporter';
import { countOutcomes, judgeWrites, startWriter } from '../../proxy/capture/numbered-writes';
import { startBackend, stopAll, until } from '../../proxy/support/world';
import { synthesize, temporaryFolder } from '../command';

const CLIENTS = 8;
const CAPTURE_CALLS = { service: 's3', action: 'PutObject', pathIncludes: '/captured/' };
const never = new AbortController().signal;
const ignore = () => undefined;
const reporter: ProgressReporter = {
  ...{ isLive: false, step: ignore, progress: ignore, switching: ignore, switched: ignore },
};

let folder: string;
let running: RunningRehearsal | undefined;
beforeAll(() => void (folder = temporaryFolder()));
afterEach(async () => {
  await stopAll();
  await running?.stop();
});
afterAll(() => rmSync(folder, { recursive: true, force: true }));

/** A backend of each side that says which it is, and what reached it. */
async function startSide(side: string) {
  const received: string[] = [];
  const { port } = await startBackend((request, response) => {
    let body = '';
    request.on('data', (bytes: Buffer) => (body += bytes.toString()));
    request.on('end', () => {
      if (request.method === 'POST') received.push(body);
      response.setHeader('x-served-by', side).end('ok');
    });
  });
  return { url: `http://127.0.0.1:${port}`, received };
}

/** Half of the traffic stays at the source until all has happened. */
function writePlan(): string {
  const stages = [
    { weights: { source: 50, target: 50 }, bakeSeconds: 60 },
    { weights: { source: 0, target: 100 }, bakeSeconds: 10 },
  ];
  const file = join(folder, 'plan.json');
  writeFileSync(file, JSON.stringify({ stages, pollSeconds: 2 }));
  return file;
}

const findId = ({ connectionId, priorRequests }: TrafficStream) => `${connectionId}.${priorRequests}`;

/** The client and the number of a write. */
function findNumber({ observations }: TrafficStream) {
  const text = observations.map((each) => (each.kind === 'read' ? Buffer.from(each.data).toString() : '')).join('');
  const [, client, number] = /^POST [^]*?(\d+):(\d+);$/.exec(text) ?? [];
  return client === undefined ? undefined : { client, number: Number(number), timeNs: observations[0]!.timeNs };
}

/** The numbers of each client by the time at which they were read, whatever connection they came on. */
function listNumbers(streams: readonly TrafficStream[]): number[][] {
  const found = streams
    .map(findNumber)
    .filter((each) => each !== undefined)
    .sort((a, b) => (a.timeNs < b.timeNs ? -1 : 1));
  const ofClient = (name: number) => found.filter(({ client }) => client === `${name}`).map(({ number }) => number);
  return Array.from({ length: CLIENTS }, (_, name) => ofClient(name));
}

function readCapture({ cloud }: RunningRehearsal) {
  const store = findCaptureStore(cloud.model);
  if (store?.kind !== 's3') throw new Error(`the source must record in a bucket, got ${store?.kind}`);
  const objects = cloud.objects.list(store.bucket, store.prefix).filter(({ key }) => key.endsWith(PART_SUFFIX));
  const streams = objects.flatMap(({ body }) => gunzipSync(body).toString().trimEnd().split('\n').map(parseExportLine));
  // Without the reads.
  const writes = new Set(streams.filter((each) => findNumber(each) !== undefined).map(findId));
  return streams.filter((each) => writes.has(findId(each)));
}

test('the store is cut off and fails, and a proxy is killed in the middle of a cutover: every write that a client saw succeed is recorded once, in order', async () => {
  const [source, target] = await Promise.all([startSide('source'), startSide('target')]);
  const options = {
    ...{ app: synthesize(folder, undefined, 's3'), plan: writePlan(), capture: 's3' as const },
    ...{ source: source.url, target: target.url, speed: 1, traffic: 0.3, seed: 1, command: 'test', version: '0' },
    ports: new Map([443, 9201, 9202].map((port) => [port, 0])),
  };
  running = await standUp(options, reporter, never);
  const { cloud } = running;
  cloud.tasks.setDesiredCount(findServiceArn(cloud, 'source'), 2);
  await until(() => listProxies(cloud, 'source').length === 2);
  const ended = cutOver(running, options, reporter, never);
  const { elb, config } = cloud.model;
  const { port } = elb.listener(config.weightedListenerArn);
  const tls = { ca: cloud.certificate.cert, servername: config.domainName };
  const isRecorded = ({ headers }: { headers: Record<string, unknown> }) => headers['x-served-by'] === 'source';
  const writers = Array.from({ length: CLIENTS }, (_, name) => startWriter(name, () => port, { tls, isRecorded }));
  const { more, count } = countOutcomes(writers);

  await until(async () => (await readBackWeights(cloud))?.target === 50);
  await more(200, 300);
  for (const fault of [{ kind: 'reset' }, { kind: 'status', status: 503 }] as const) {
    const clear = cloud.faults.set(CAPTURE_CALLS, fault);
    await more(503, 20);
    // Requests wait for their record then: a success that was given before it would be missing.
    if (fault.kind === 'status') sendSignal(listProxies(cloud, 'source')[0]?.pid, 'SIGKILL');
    clear();
    await more(200, 300);
  }
  await until(() => listProxies(cloud, 'source').length === 2);
  await more(200, 600);
  const { evidence } = await ended;
  for (const { stop } of writers) await stop();

  expect(evidence.captureSeen).toMatchObject({
    unrecorded: 0,
    lost: 0,
    unreadable: 0,
    pendingBytes: 0,
    silentTasks: 0,
  });
  expect(evidence.captureSeen!.refused).toBeGreaterThan(0);
  // The load balancer says so itself of what was under way at the proxy that was killed.
  const streams = readCapture(running);
  judgeWrites(writers, streams, source.received, [502, 504]);
  for (const numbers of listNumbers(streams)) expect(numbers).toEqual([...numbers].sort((a, b) => a - b));
  expect(count(502) + count(504)).toBeLessThanOrEqual(CLIENTS);
  expect(target.received.length).toBeGreaterThan(100);
});
