import { readFileSync, rmSync, writeFileSync } from 'node:fs';
import { createServer } from 'node:http';
import type { AddressInfo } from 'node:net';
import { join } from 'node:path';
import type { RehearsalEvidence } from '../../../rehearsal/report/evidence';
import { Command, FREE_PORTS, synthesize, temporaryFolder } from '../command';

let folder: string;
const closers: (() => void)[] = [];
const commands: Command[] = [];

beforeAll(() => void (folder = temporaryFolder()));
afterEach(async () => {
  for (const command of commands.splice(0)) {
    command.signal('SIGKILL');
    await command.ended;
  }
  for (const close of closers.splice(0)) close();
});
afterAll(() => rmSync(folder, { recursive: true, force: true }));

/** Each response has an id of its own. */
async function startShop(price: number) {
  const seen = { replayed: 0, others: 0 };
  const server = createServer((request, response) => {
    seen[request.headers['x-drainshift-replay-id'] === undefined ? 'others' : 'replayed'] += 1;
    response.writeHead(200, { 'content-type': 'application/json' });
    response.end(JSON.stringify({ price, request: `r-${seen.replayed + seen.others}-${price}` }));
  });
  await new Promise<void>((resolve) => server.listen(0, '127.0.0.1', resolve));
  closers.push(() => {
    server.closeAllConnections();
    server.close();
  });
  return { url: `http://127.0.0.1:${(server.address() as AddressInfo).port}`, seen };
}

async function rehearse(name: string, prices: readonly [number, number]) {
  const [source, target] = [await startShop(prices[0]), await startShop(prices[1])];
  const plan = join(folder, `${name}.yaml`);
  writeFileSync(
    plan,
    'smoke: [{ path: /item }]\npollSeconds: 1\nstages:\n' +
      '  - { weights: { source: 50, target: 50 }, bakeSeconds: 3 }\n' +
      '  - { weights: { source: 0, target: 100 }, bakeSeconds: 3 }\n' +
      'capture:\n  replay: { name: to-target, maxLagSeconds: 60, comparison: promote }\n',
  );
  const json = join(folder, `${name}.json`);
  const app = synthesize(folder, undefined, 's3');
  const args = ['--app', app, ...FREE_PORTS, '--plan', plan, '--json', json];
  const own = ['--source', source.url, '--target', target.url];
  const command = new Command(['rehearse', '--capture', 's3', ...own, ...args], { isWatched: true });
  commands.push(command);
  const { code, output } = await command.ended;
  return { code, output, source, target, json };
}

test('what the source serves is replayed to the target before the first stage, and its comparison lets the cutover go on', async () => {
  const { code, output, source, target, json } = await rehearse('equal', [12, 12]);
  expect(output).toMatch(/the replay 'to-target' has sent \d+ requests; verdict of its comparison: promote/);
  expect(code).toBe(0);
  expect((JSON.parse(readFileSync(json, 'utf8')) as RehearsalEvidence).outcome).toBe('completed');
  // Noise is found by requests that the source gets once more.
  expect(source.seen.replayed).toBeGreaterThan(0);
  expect(target.seen.replayed).toBeGreaterThan(0);
});

test('a target with another price: preflight rejects the cutover before anything is moved', async () => {
  const { code, output, json } = await rehearse('other', [12, 13]);
  expect(output).toContain("the comparison of the replay 'to-target' must say 'promote', got 'roll back'");
  expect(output).toContain('ReplayIncomplete');
  expect(code).toBe(5);
  expect((JSON.parse(readFileSync(json, 'utf8')) as RehearsalEvidence).outcome).toBe('refused');
});
