import { execFile, spawn, spawnSync } from 'node:child_process';
import { once } from 'node:events';
import { readFileSync, rmSync } from 'node:fs';
import https from 'node:https';
import { join } from 'node:path';
import { createInterface } from 'node:readline';
import { promisify } from 'node:util';
import { WebSocket } from 'ws';
import type { RehearsalEvidence } from '../../../rehearsal/report/evidence';
import { Command, FREE_PORTS, findProxies, synthesize, temporaryFolder } from '../command';
import { KeptRehearsal } from '../kept-world';

let folder: string;
let app: string;
const commands: Command[] = [];

beforeAll(() => {
  folder = temporaryFolder();
  app = synthesize(folder);
});
afterAll(() => rmSync(folder, { recursive: true, force: true }));
afterEach(async () => {
  for (const command of commands.splice(0)) {
    command.signal('SIGKILL');
    await command.ended;
  }
});

function rehearse(...args: string[]): Command {
  const command = new Command(['rehearse', '--app', app, ...FREE_PORTS, ...args]);
  commands.push(command);
  return command;
}
const buildEvidence = (file: string) => JSON.parse(readFileSync(join(folder, file), 'utf8')) as RehearsalEvidence;

const isInstalled = (tool: string) => spawnSync(tool, ['--version']).status === 0;
const [HAS_CURL, HAS_AWS] = [isInstalled('curl'), isInstalled('aws')];
if (!HAS_CURL) process.stderr.write('skipped: the printed line of curl, which is not installed\n');
if (!HAS_AWS) process.stderr.write('skipped: the printed lines of the AWS CLI, which is not installed\n');

/** Standard output of lines that a person types into a shell; rejects at the first that fails. */
async function shell(lines: string): Promise<string> {
  const env = { ...process.env, AWS_PAGER: '', AWS_EC2_METADATA_DISABLED: 'true' };
  return (await promisify(execFile)('sh', ['-ec', lines], { env })).stdout;
}

/** Of a side with all of the weight, when no WebSocket is left at the other. */
const ALL_MOVED = /weights 0\/100 [^|]*\| source [^|]* ws 0 [^|]*\| target/;

/**
 * A client of somebody else, from the lines that are printed at the start until its WebSocket has moved. The cutover still looks for a while
 * then, and counts its end. @returns its GETs
 */
async function attend(command: Command): Promise<{ requests: number }> {
  const curl = await command.says(/(curl --cacert \S+ --resolve \S+ \S+)/);
  const [, caFile = '', port = ''] = /--cacert (\S+) --resolve [^:]+:(\d+):/.exec(curl) ?? [];
  const name = { ca: readFileSync(caFile), servername: 'shop.example.com' };
  const webSocket = new WebSocket(`wss://127.0.0.1:${port}/ws/counter?client=somebody`, name);
  const closed = once(webSocket, 'close');
  const get = () =>
    new Promise<void>((resolve, reject) => {
      const options = { host: '127.0.0.1', port, headers: { host: 'shop.example.com' }, ...name };
      https.get(options, (response) => response.resume().on('end', resolve)).on('error', reject);
    });
  let requests = 0;
  const moved = command.says(ALL_MOVED);
  while (!ALL_MOVED.test(command.output)) {
    if (HAS_CURL) await shell(`${curl} --silent --show-error`);
    else await get();
    requests += 1;
    // A person's pace: the machine has other things to do.
    await Promise.race([moved, new Promise((next) => setTimeout(next, 1_000))]);
  }
  // It has moved with the others, and nothing has closed it.
  expect(webSocket.readyState).toBe(WebSocket.OPEN);
  webSocket.close();
  await closed;
  return { requests };
}

/** What a line prints first; it is ended then. */
async function firstLines(line: string, count: number): Promise<string[]> {
  const child = spawn('sh', ['-c', `exec env ${line}`], { stdio: ['ignore', 'pipe', 'inherit'] });
  const lines: string[] = [];
  for await (const text of createInterface({ input: child.stdout })) {
    if (lines.push(text) === count) break;
  }
  child.kill();
  return lines;
}

describe('a cutover of four stages under traffic', () => {
  let command: Command;
  let cloud: KeptRehearsal;
  // Whatever failed: a world that stays up would keep the tests from ending.
  afterAll(async () => {
    command.signal('SIGKILL');
    await command.ended;
  });

  test('completes, loses nothing, and ends on the target with the source at zero', async () => {
    command = rehearse(
      ...['--speed', '150', '--traffic', '0.3'],
      '--keep',
      '--json',
      join(folder, 'completed.json'),
      '--report',
      join(folder, 'report.html'),
    );
    commands.pop();
    const yours = attend(command);
    await command.says(/The local cloud stays up until Ctrl-C/);
    cloud = await KeptRehearsal.of(command);

    const evidence = buildEvidence('completed.json');
    expect(evidence.traffic.failures).toEqual([]);
    expect([evidence.outcome, evidence.failure]).toEqual(['completed', undefined]);
    expect(
      evidence.stages.map(({ weights, confirmed, verdict }) => [weights.source, weights.target, confirmed, verdict]),
    ).toEqual([
      [90, 10, true, 'promote'],
      [50, 50, true, 'promote'],
      [10, 90, true, 'promote'],
      [0, 100, true, 'promote'],
    ]);
    // What a client of somebody else saw is what the load balancer says of it.
    const { requests, failed, webSockets } = evidence.ownClients ?? {};
    const seen = await yours;
    expect([requests, failed]).toEqual([seen.requests + 1, 0]);
    expect(webSockets).toMatchObject({ opened: 1, closed: 1, dropped: 0 });
    expect(command.output).toContain(` of your own clients (101: 1, 200: ${seen.requests}), 0 failed`);
    const { http, websocket, serverSentEvents, streaming } = evidence.traffic;
    expect(http).toMatchObject({ failed: 0, ok: http.sent });
    expect(websocket).toMatchObject({ lost: 0, duplicated: 0, outOfOrder: 0, dropped: 0, received: websocket.sent });
    expect(serverSentEvents).toMatchObject({ lost: 0, duplicated: 0, dropped: 0 });
    expect(streaming).toMatchObject({ cut: 0, truncated: 0, wrong: 0, whole: streaming.asked });
    expect(streaming.whole).toBeGreaterThanOrEqual(10);
    expect(websocket.opened).toBeGreaterThanOrEqual(60);
    expect(serverSentEvents.opened).toBeGreaterThanOrEqual(6);
    expect(evidence.finalWeights).toEqual({ source: 0, target: 100 });
    // Client and load balancer in the list, and the proxy's connection: each with an address of its own.
    expect(evidence.rehearsal.applicationSees).toMatchObject({
      source: { trustedHops: 2 },
      target: { trustedHops: 2 },
    });
    expect(evidence.drain.source).toEqual({ http: 0, websocket: 0, grpcStream: 0, serverSentEvents: 0, streaming: 0 });
    // No client was closed: each goes on where it was, with its counter and the sequence of its connection, or its events.
    expect(websocket.closedByServer).toBe(0);
    expect(serverSentEvents.endedByServer).toBe(0);
    const { byKind, moved } = evidence.drain;
    expect(byKind?.websocket).toMatchObject({ closed: 0, forced: 0, lost: 0, unknown: 0 });
    expect(moved).toBeGreaterThanOrEqual(60);
    const { moves } = evidence;
    expect(moves).toMatchObject({ moved, stall: { count: moved } });
    expect(moves!.stall!.p99Ms).toBeLessThan(5_000);
    expect(command.output).toMatch(/0 dropped, \d+ moved, 0 closed, longest gap/);
    expect(command.output).toMatch(
      / moves +\d+ connections; stall p50 [\d.]+ ms, p99 [\d.]+ ms, longest [\d.]+ ms; carried by the source/,
    );
    expect(evidence.drain.forced).toBe(0);
    expect(readFileSync(join(folder, 'report.html'), 'utf8')).toContain('<polygon');
  });

  test('leaves a world in which weights that a person sets hold for the very next requests', async () => {
    expect(await cloud.side()).toBe('target');
    await cloud.setWeights(1, 1);
    const sides = await Promise.all(Array.from({ length: 40 }, () => cloud.side()));
    expect([...new Set(sides)].sort()).toEqual(['source', 'target']);
    await cloud.setWeights(100, 0);
    expect(await cloud.side()).toBe('source');
    await expect(cloud.setWeights(1000, 0)).rejects.toMatchObject({ name: 'ValidationError' });
    // Whatever credentials a person's AWS CLI is set up with, they will do.
    await (await KeptRehearsal.of(command, 'AKIAIOSFODNN7EXAMPLE')).setWeights(100, 0);
  });

  test('rolls back by itself when an abort is requested in the store', async () => {
    const executionArn = await cloud.startCutover('aborted');
    await cloud.requestAbort('aborted');
    expect(await cloud.computeEnd(executionArn)).toEqual({ status: 'FAILED', error: 'RolledBack' });
    expect(await cloud.weights()).toEqual([100]);
    expect(await cloud.evidence('aborted')).toMatchObject({ outcome: 'rolled-back', failure: { code: 'Aborted' } });
  });

  const listPrinted = () => command.output.slice(command.output.indexOf('The local cloud stays up')).split('\n');
  const findPrinted = (rule: RegExp) => listPrinted().find((line) => rule.test(line)) ?? '';

  test('printed lines in their order, and a WebSocket that works as it stands', async () => {
    expect(
      listPrinted()
        .filter((line) => /^(aws|npx) /.test(line))
        .map((line) => (line.startsWith('aws ') ? line.split(' ')[6] : line.split(' ')[2])),
    ).toEqual([
      ...['status', 'weights', 'doctor', 'start', 'watch', 'abort', 'rollback', 'history', 'report'],
      ...['describe-rules', 'modify-rule', 'list-objects-v2'],
    ]);
    expect(await firstLines(findPrinted(/new WebSocket/), 2)).toEqual(['open', '{"n":1,"count":1,"sequence":1}']);
  });

  (HAS_CURL ? test : test.skip)('printed a line of curl that works as it stands', async () => {
    expect(await shell(`${findPrinted(/^curl /)} --silent --show-error`)).not.toBe('');
  });

  (HAS_AWS ? test : test.skip)('printed lines of the AWS CLI that work as they stand, in their order', async () => {
    expect(
      await shell(
        listPrinted()
          .filter((line) => /^(export|aws) /.test(line))
          .join('\n'),
      ),
    ).toContain('evidence/');
  });

  /** A printed line of drainshift, as it stands, with the lines that a shell needs before it. */
  const typeLine = (command: string) => {
    const lines = [findPrinted(/^export /), findPrinted(new RegExp(`^npx drainshift ${command} `))];
    return shell(lines.join('\n').replace('npx drainshift', 'node dist/bin/drainshift.js'));
  };

  test('printed lines of drainshift that work as they stand: weights, doctor, start and abort', async () => {
    await typeLine('weights set');
    expect(await cloud.weights()).toEqual([100]);
    expect(await typeLine('doctor')).toMatch(/^ready: /);
    const started = await typeLine('start');
    expect(await typeLine('doctor')).toMatch(/^a cutover is under way: /);
    await typeLine('abort');
    const [, name = ''] = /'([^']+)'/.exec(started) ?? [];
    expect(await cloud.evidence(name)).toMatchObject({ outcome: 'rolled-back', failure: { code: 'Aborted' } });
  });

  test('ends every process on Ctrl-C, with the exit code of its verdict', async () => {
    expect(findProxies(app)).toHaveLength(4);
    command.signal('SIGINT');
    expect(await command.ended).toMatchObject({ code: 0 });
    expect(findProxies(app)).toEqual([]);
  });
});
