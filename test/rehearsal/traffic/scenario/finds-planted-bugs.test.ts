import { ChildProcess, spawn } from 'node:child_process';
import { once } from 'node:events';
import { mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join, resolve } from 'node:path';
import type { Scenario } from '../../../../core/scenario/scenario';
import type { Side } from '../../../../core/traffic/weights';
import { BalancerCounts } from '../../../../rehearsal/load-balancer/counting/balancer-counts';
import { describeLostSession, findLostSessions } from '../../../../rehearsal/report/lost-sessions';
import { describeEntry, listUnexercised } from '../../../../rehearsal/report/scenario-seen';
import { readScenarioFile } from '../../../../rehearsal/scenario-file/scenario-file';
import { nothingLost } from '../../../../rehearsal/traffic/counting/tally';
import { Traffic, startTraffic } from '../../../../rehearsal/traffic/traffic';
import { firstLine } from '../../../support/first-line';
import { until } from '../../../support/until';
import { Fixture, forward } from '../../load-balancer/fixture';

const EXAMPLE = resolve(__dirname, '../../../../examples/own-traffic');
const SIDES: readonly Side[] = ['source', 'target'];

let folder: string;
const shops: ChildProcess[] = [];
const stops: (() => Promise<unknown>)[] = [];
beforeEach(() => {
  folder = mkdtempSync(join(tmpdir(), 'own-traffic-'));
});
afterEach(async () => {
  for (const stop of stops.splice(0).reverse()) await stop();
  for (const shop of shops.splice(0)) {
    if (shop.exitCode !== null) continue;
    const ended = once(shop, 'exit');
    shop.kill('SIGKILL');
    await ended;
  }
  rmSync(folder, { recursive: true });
});

/** The example's application, which nobody wrote for a rehearsal: Express, its sessions, `ws`. @returns its port */
async function startShop(...bugs: string[]): Promise<number> {
  const args = ['--database', join(folder, 'sessions.db'), ...bugs.flatMap((bug) => ['--bug', bug])];
  const shop = spawn(process.execPath, [join(EXAMPLE, 'shop.js'), ...args], { stdio: ['ignore', 'pipe', 'pipe'] });
  shops.push(shop);
  return Number((await firstLine(shop)).split(' ').pop());
}

/** A hundred requests a second all the same: one response in a hundred is wrong. */
function withFewClients({ webSockets, eventStreams, streams, ...scenario }: Scenario): Scenario {
  const few = <T extends { readonly clients: number }>(each: T): T => ({ ...each, clients: 2 });
  return {
    ...{ ...scenario, clients: 10 },
    webSockets: webSockets.map((each) => ({ ...few(each), everySeconds: 0.1 })),
    eventStreams: eventStreams.map(few),
    streams: streams.map(few),
  };
}

/** The scenario of the example, against both sides behind the rehearsal's load balancer. */
async function start(bugs: readonly string[]): Promise<{ fixture: Fixture; traffic: Traffic }> {
  const fixture = await new Fixture().start({ events: new BalancerCounts((arn) => arn as Side, true) });
  stops.push(() => fixture.stop());
  const ports = { source: await startShop(), target: await startShop(...bugs) };
  for (const side of SIDES) {
    fixture.model.targetGroup(side).healthCheck = { ...fixture.model.targetGroup(side).healthCheck, path: '/' };
    fixture.server.targets.register(side, [{ id: '127.0.0.1', port: ports[side] }]);
  }
  for (const side of SIDES) await fixture.healthy(side, 1);
  const traffic = await startTraffic({
    origin: 'https://shop.example.com',
    connectTo: { host: '127.0.0.1', port: fixture.port },
    ca: fixture.certificate.cert,
    hasOwnAddresses: true,
    scenario: withFewClients(readScenarioFile(join(EXAMPLE, 'scenario.yaml'))),
    arrivalMs: 200,
    lastResponsesMs: 1_000,
  });
  stops.push(() => traffic.stop().catch(() => undefined));
  return { fixture, traffic };
}

const find = (traffic: Traffic, name: string) => traffic.snapshot()?.entries?.find((entry) => entry.name === name);
const count = (traffic: Traffic, name: string, side: Side) =>
  find(traffic, name)?.bySide[side] ?? { right: 0, wrong: 0 };

/** All of the traffic goes to the target at once, and what is open on the source ends in order. */
async function shift({ fixture, traffic }: { fixture: Fixture; traffic: Traffic }): Promise<void> {
  await until(() => traffic.snapshot()?.entries?.every(({ bySide }) => bySide.source.right > 0) === true);
  expect(listUnexercised(traffic.snapshot()?.entries ?? [])).toContain("'start: log in' on the target");
  fixture.setAction(forward([['target', 1]]));
  shops[0]?.kill('SIGTERM');
}

test('a scenario of an application that is in order is right on both sides, all of it', async () => {
  const running = await start([]);
  await shift(running);
  await until(() => running.traffic.snapshot()?.entries?.every(({ bySide }) => bySide.target.right > 0) === true);
  const tally = await running.traffic.stop();
  expect(tally.failures).toEqual([]);
  expect([nothingLost(tally), listUnexercised(tally.entries ?? [])]).toEqual([true, []]);
  expect(findLostSessions(tally.entries ?? [])).toEqual([]);
  // Requests, messages and streamed responses are timed; what a stream of events sends by itself is not.
  const untimed = tally.entries?.filter(({ times }) => times?.target.count === 0).map(({ kind }) => kind);
  expect(untimed).toEqual(['eventStream']);
});

test('a wrong body in a hundred, lost sessions, rejected WebSockets and cut streams are found and named', async () => {
  const running = await start(['wrong-price', 'lost-session', 'no-websocket', 'cut-stream']);
  await shift(running);
  const { traffic } = running;
  const wrong = ['a product', 'buy: add to the cart', 'chat', 'model'];
  await until(() => wrong.every((name) => count(traffic, name, 'target').wrong > 0));
  const tally = await traffic.stop();
  const problems = (name: string) =>
    tally.entries
      ?.find((entry) => entry.name === name)
      ?.problems.map(({ side, expected, got }) => [side, expected, got]);
  expect(problems('a product')).toEqual([['target', '107 at /price', '0']]);
  expect(problems('chat')).toContainEqual(['target', '101, a WebSocket', '403']);
  expect(problems('model')).toContainEqual([
    'target',
    "'[DONE]' as the last event",
    expect.stringContaining('choices'),
  ]);
  const carts = [...(problems('buy: add to the cart') ?? []), ...(problems('buy: look into the cart') ?? [])];
  expect(carts).toContainEqual(['target', expect.stringMatching(/^20[01]$/), '401']);
  // The rest of the application is in order, and nothing is said against the source.
  const blamed = tally.entries?.flatMap(({ problems: each }) => each.map(({ side }) => side));
  expect(new Set(blamed)).toEqual(new Set(['target', ...(blamed?.includes('noSide') ? ['noSide'] : [])]));
  expect(tally.entries?.filter(({ bySide }) => bySide.target.wrong > 0).map(describeEntry)).toContainEqual(
    expect.stringMatching(
      /^a product: source [\d,]+ right; target [\d,]+ right, \d+ WRONG \(expected 107 at \/price, got 0\)$/,
    ),
  );
  expect(nothingLost(tally)).toBe(false);
  // Sessions of the source are not there, which is said of what needs one alone.
  const lost = findLostSessions(tally.entries ?? []).map(describeLostSession);
  expect(lost).toContainEqual(
    expect.stringMatching(
      /^'buy: (add to|look into) the cart' failed on the target for clients that began on the source: session not there \(each of \d+: expected 20[01], got 401\)$/,
    ),
  );
  for (const line of lost) expect(line).toMatch(/^'(buy: (add to|look into) the cart|start: (the login form|log in))'/);
});
