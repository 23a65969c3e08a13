import { spawn } from 'node:child_process';
import { once } from 'node:events';
import { cpSync, mkdirSync, mkdtempSync, readFileSync, symlinkSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { dirname, join } from 'node:path';
import { startProxyCommand, type ProxyCommand } from '../proxy/clients/support/proxy-command';
import { callAdmin } from '../proxy/support/proxy-world';
import { ifInstalled } from '../proxy/support/installed';
import { later, stopAll, until } from '../proxy/support/world';
import { hasChromium, openPage, type Page } from '../support/chromium';
import { firstLine } from '../support/first-line';
import { hasRedisServer, startRedisServer } from '../support/redis-server';
import { link, remove, ROOT, synthesize } from './support/installed';

const EXAMPLE = join(ROOT, 'examples/sticky-sessions');
const ALWAYS = ['http-http', 'http-http-sticky', 'ws-ws', 'http-ws-sticky', 'http-pubsub'];
const { testInstalled } = ifInstalled((from) => ({ iovalkey: from.resolve('iovalkey') }));
const hasStore = hasRedisServer('test/examples/sticky-sessions');
const withStore = hasStore ? testInstalled : test.skip;
const inChromium = hasStore && hasChromium('test/examples/sticky-sessions') ? testInstalled : test.skip;

let folder: string;
beforeAll(() => {
  folder = mkdtempSync(join(tmpdir(), 'sticky-sessions-'));
  cpSync(EXAMPLE, folder, { recursive: true, filter: (path) => !/\/(node_modules|cdk\.out)$/.test(path) });
  for (const name of ['aws-cdk-lib', 'constructs', 'iovalkey', 'ws']) link(folder, name);
  // As it is built now: npm run build.
  symlinkSync(ROOT, join(folder, 'node_modules/drainshift'));
  const command = join(ROOT, 'dist/bin/drainshift.js');
  mkdirSync(join(folder, 'node_modules/.bin'));
  writeFileSync(join(folder, 'node_modules/.bin/drainshift'), `#!/bin/sh\nexec node ${command} "$@"\n`, {
    mode: 0o755,
  });
});
afterAll(() => remove(folder));
afterEach(stopAll);

function run(side: string, valkey: string) {
  const child = spawn(process.execPath, [join(folder, 'backend.js'), '--side', side, '--valkey', valkey]);
  later(async () => {
    if (child.exitCode !== null) return;
    const end = once(child, 'exit');
    child.kill();
    await end;
  });
  return child;
}

async function startSide(side: string, valkey: string): Promise<number> {
  return Number((await firstLine(run(side, valkey))).split(' ').pop());
}

async function startStore(): Promise<string> {
  const { path, stop } = await startRedisServer();
  later(stop);
  return path;
}

interface Asked {
  readonly by: { readonly side: string; readonly replica: number };
  readonly routedBy: string;
}

const echo = async (port: number, cookie?: string) => {
  const headers = cookie === undefined ? undefined : { cookie };
  const body = JSON.stringify({ id: 'a', text: 'b' });
  return (await (await fetch(`http://127.0.0.1:${port}/echo`, { method: 'POST', headers, body })).json()) as Asked;
};

withStore('the cookies mean the same replica on both sides, and without one it is round robin', async () => {
  const store = await startStore();
  const [source, target] = await Promise.all([startSide('source', store), startSide('target', store)]);
  const turns: number[] = [];
  for (let n = 0; n < 6; n += 1) turns.push((await echo(source)).by.replica);
  expect(turns).toEqual([1, 2, 3, 1, 2, 3]);
  const seen = new Set<number>();
  for (const value of ['a', 'b', 'c', 'd', 'e', 'f', 'g', 'h']) {
    const cookie = `Route=1; StickyStr=${value}`;
    const [here, again, there] = [await echo(source, cookie), await echo(source, cookie), await echo(target, cookie)];
    expect([again.by.replica, there.by.replica]).toEqual([here.by.replica, here.by.replica]);
    expect(here.routedBy).toBe('application cookie');
    seen.add(here.by.replica);
  }
  expect([...seen].sort()).toEqual([1, 2, 3]);
  for (const replica of [1, 2, 3]) {
    expect(await echo(target, `Route=${replica}`)).toMatchObject({ by: { side: 'target', replica } });
  }
  for (const wrong of ['Route=4', 'Route=x', 'Route=', 'StickyStr=']) {
    expect((await echo(source, wrong)).routedBy).toBe('round robin');
  }
});

testInstalled('without a Valkey it says so in one line', async () => {
  const child = run('source', join(folder, 'nothing'));
  let said = '';
  child.stderr.on('data', (bytes: Buffer) => (said += bytes.toString()));
  const [code] = (await once(child, 'close')) as [number];
  const line = `sticky-sessions: '--valkey' must be a Valkey or Redis that runs, got '${join(folder, 'nothing')}'\n`;
  expect([code, said]).toEqual([1, line]);
});

/** Echoes and presses of each way. */
type Counts = Record<string, readonly [echoed: number, total: number]>;

const countsOf = (page: Page) =>
  page.evaluate<Counts>(`Object.fromEntries([...document.querySelectorAll('article')].map((card) =>
    [card.dataset.way, card.querySelector('.count').textContent.split(' of ').map(Number)]))`);
const textOf = (page: Page, id: string) =>
  page.evaluate<string>(`document.getElementById('${id}')?.textContent.trim() ?? ''`);

const key = async (page: Page, name: string) => {
  await page.call('Input.dispatchKeyEvent', { type: 'keyDown', key: name, text: name });
  await page.call('Input.dispatchKeyEvent', { type: 'keyUp', key: name });
};

/** Presses all six buttons so often, by their keys, one round after the other. @returns what came of these presses */
async function pressAll(page: Page, rounds: number): Promise<Counts> {
  const before = await countsOf(page);
  for (let round = 1; round <= rounds; round += 1) {
    for (const name of '123456') await key(page, name);
    await until(async () => Object.entries(await countsOf(page)).every(([way, [, n]]) => n >= before[way]![1] + round));
  }
  return since(before, await countsOf(page));
}

function since(before: Counts, after: Counts): Counts {
  const entries = Object.entries(after).map(([way, [echoed, total]]) => {
    const [was, ofAll] = before[way]!;
    return [way, [echoed - was, total - ofAll]] as const;
  });
  return Object.fromEntries(entries);
}

const everyTime = (rounds: number) => Object.fromEntries(ALWAYS.map((way) => [way, [rounds, rounds]]));

/** Five buttons work always, and one now and then, because nothing brings it to the replica that has the WebSocket. */
async function expectPromises(page: Page): Promise<void> {
  expectNoneLost(await pressAll(page, 5));
  const before = await countsOf(page);
  const isBoth = ([echoed, total]: readonly [number, number]) => echoed > 0 && echoed < total;
  for (let n = 1; !isBoth(since(before, await countsOf(page))['http-ws']!); n += 1)
    await pressWithoutCookie(page, n, before);
}

/** Where no other client takes turns, it is one time in three. */
async function expectOneInThree(page: Page): Promise<void> {
  const before = await countsOf(page);
  for (let n = 1; n <= 6; n += 1) await pressWithoutCookie(page, n, before);
  expect(since(before, await countsOf(page))['http-ws']).toEqual([2, 6]);
}

async function pressUntil(page: Page, condition: () => Promise<boolean>): Promise<void> {
  while (!(await condition())) await pressAll(page, 1);
}

async function pressWithoutCookie(page: Page, n: number, before: Counts): Promise<void> {
  await key(page, '4');
  await until(async () => (await countsOf(page))['http-ws']![1] >= before['http-ws']![1] + n);
}

async function retarget({ adminPort }: ProxyCommand, to: 'source' | 'target'): Promise<void> {
  const { status } = await callAdmin(adminPort, { method: 'POST', path: '/retarget', body: JSON.stringify({ to }) });
  expect(status).toBe(202);
}

const isConnectedTo = (page: Page, side: string) => async () =>
  (await textOf(page, 'state')) === 'connected' && (await textOf(page, 'side')) === side;

async function startBoth(): Promise<{ proxy: ProxyCommand; page: Page }> {
  const store = await startStore();
  const [source, target] = await Promise.all([startSide('source', store), startSide('target', store)]);
  const proxy = await startProxyCommand(source, { flags: ['--other-upstream', `http://127.0.0.1:${target}`] });
  const page = await openPage(`http://127.0.0.1:${proxy.port}/`);
  later(page.stop);
  await until(isConnectedTo(page, 'source'));
  return { proxy, page };
}

/** All buttons again and again, from before the sides change until the page is at the other one. @returns what came of it */
async function pressWhile(page: Page, to: 'source' | 'target', change: () => Promise<unknown>): Promise<Counts> {
  const before = await countsOf(page);
  await pressAll(page, 3);
  await Promise.all([change(), pressUntil(page, isConnectedTo(page, to))]);
  await pressAll(page, 3);
  return since(before, await countsOf(page));
}

function expectNoneLost({ 'http-ws': without, ...others }: Counts): void {
  const rounds = without![1];
  expect(others).toEqual(everyTime(rounds));
}

/** What the person sees of it: the WebSocket has gone once, for a moment, and the strip shows when. */
async function expectReconnects(page: Page, count: number): Promise<void> {
  expect(await textOf(page, 'reconnects')).toBe(String(count));
  expect(Number(await textOf(page, 'gap'))).toBeGreaterThan(0);
  expect((await textOf(page, 'log')).match(/WebSocket closed with 1012/g)).toHaveLength(count);
  await until(() => page.evaluate(`document.querySelectorAll('#strip .gap').length > ${count}`));
}

interface Rehearsal {
  readonly url: string;
  /** So that the name of the example is this machine, and its certificate is taken. */
  readonly flags: readonly string[];
  says(pattern: RegExp): Promise<RegExpExecArray>;
  approve(): Promise<void>;
  /** @returns its exit code, and the evidence */
  end(): Promise<{ code: number | null; evidence: Evidence }>;
}

interface Evidence {
  readonly outcome: string;
  readonly switches: readonly { readonly result: string }[];
  readonly ownClients: { readonly requests: number; readonly failed: number; readonly webSockets: object };
}

/** The command of the README, with its plan, which waits for a person before anything moves. */
async function rehearse(): Promise<Rehearsal> {
  const { status, output: problem } = synthesize(folder);
  if (status !== 0) throw new Error(problem);
  const plan = {
    strategy: 'drainThenShift',
    stages: [{ weights: { source: 0, target: 100 }, bakeSeconds: 1800 }],
    switch: { pointOfNoReturn: 'shared', maxPauseMs: 2000 },
    approval: { beforeFirstShift: true, timeoutSeconds: 604_800 },
  };
  writeFileSync(join(folder, 'plan.json'), JSON.stringify(plan));
  const flags = ['--plan', 'plan.json', '--no-approve', '--keep', '--json', 'evidence.json', '--speed', '300'];
  const env = {
    ...process.env,
    PATH: [join(folder, 'node_modules/.bin'), dirname(process.execPath), '/usr/bin:/bin'].join(':'),
  };
  const ports = ['--map-port', '9201=0', '--map-port', '9202=0'];
  // A group of its own: Ctrl-C reaches all of it.
  const child = spawn(process.execPath, ['rehearse.js', ...flags, ...ports], { cwd: folder, env, detached: true });
  let output = '';
  for (const stream of [child.stdout, child.stderr]) stream.on('data', (bytes: Buffer) => (output += bytes.toString()));
  const ended = once(child, 'close') as Promise<[number | null]>;
  const interrupt = async () => {
    if (child.exitCode === null) process.kill(-child.pid!, 'SIGINT');
    return (await ended)[0];
  };
  later(async () => void (await interrupt()));
  const says = async (pattern: RegExp) => {
    await until(
      () => pattern.test(output),
      () => (child.exitCode === null ? undefined : output),
    );
    return pattern.exec(output)!;
  };
  const [, name, port] = await says(/--cacert \S+ --resolve ([^:]+):(\d+):/);
  return {
    url: `https://${name}:${port}/`,
    flags: [`--host-resolver-rules=MAP ${name} 127.0.0.1`, '--ignore-certificate-errors'],
    says,
    approve: async () => {
      const [, variables = '', args = ''] = await says(/waits for your approval: (.+) npx drainshift (approve .+)/);
      const given: Record<string, string> = Object.fromEntries(
        variables.split(' ').map((pair) => pair.split('=', 2) as [string, string]),
      );
      const approval = spawn('drainshift', [...args.split(' '), '--yes'], { env: { ...env, ...given } });
      expect(await firstLine(approval)).toMatch(/approved/);
    },
    end: async () => {
      const code = await interrupt();
      return { code, evidence: JSON.parse(readFileSync(join(folder, 'evidence.json'), 'utf8')) as Evidence };
    },
  };
}

inChromium('each of the six buttons keeps its promise before, during and after a whole cutover', async () => {
  const rehearsal = await rehearse();
  const page = await openPage(rehearsal.url, rehearsal.flags);
  later(page.stop);
  await until(isConnectedTo(page, 'source'));
  // Taken out of the document, to simulate what is not sticky.
  expect(await page.evaluate('document.cookie')).not.toContain('StickyStr');
  await expectPromises(page);
  expectNoneLost(await pressWhile(page, 'target', rehearsal.approve));
  await expectReconnects(page, 1);
  await expectPromises(page);
  await rehearsal.says(/drainshift rehearsal: completed in .*, nothing lost of what was tried/);
  await expectPromises(page);
  await expectReconnects(page, 1);
  expect(page.problems).toEqual([]);
  await page.stop();
  const { code, evidence } = await rehearsal.end();
  expect([code, evidence.outcome]).toEqual([0, 'completed']);
  // The load balancer has seen it as this page has: nothing failed, and a WebSocket closed and opened once more.
  expect(evidence.ownClients).toMatchObject({ failed: 0, webSockets: { opened: 2, closed: 1, dropped: 0 } });
});

inChromium('the promises hold on the way back, and with the other cookie', async () => {
  const { proxy, page } = await startBoth();
  for (const to of ['target', 'source'] as const) {
    expectNoneLost(await pressWhile(page, to, () => retarget(proxy, to)));
  }
  await expectReconnects(page, 2);
  await expectPromises(page);
  await expectOneInThree(page);
  expect([page.problems, proxy.problems()]).toEqual([[], []]);

  // The page connects anew, and nothing of the promises changes.
  await page.evaluate(`document.querySelector('input[value=balancer]').click()`);
  await until(async () => (await textOf(page, 'log')).includes("by load balancer's cookie"));
  await expectPromises(page);
  const sticky = `document.querySelector('[data-way=http-ws-sticky] output').textContent`;
  expect(await page.evaluate(sticky)).toContain("load balancer's cookie");
});

const SIZES = [
  [390, 844],
  [1280, 800],
  [3840, 2160],
] as const;

inChromium('nothing overflows or jumps from a phone to 4K, and nothing comes from elsewhere', async () => {
  const { page } = await startBoth();
  for (const [width, height] of SIZES) {
    await page.call('Emulation.setDeviceMetricsOverride', { width, height, deviceScaleFactor: 1, mobile: false });
    const size = () =>
      page.evaluate<number[]>('[document.documentElement.scrollWidth, document.documentElement.scrollHeight]');
    const before = await size();
    await pressAll(page, 3);
    expect([width, await size()]).toEqual([width, before]);
    expect(before[0]).toBe(await page.evaluate('document.documentElement.clientWidth'));
  }
  const names = `performance.getEntriesByType('resource').map(({ name }) => new URL(name).origin)`;
  expect(new Set(await page.evaluate<string[]>(names))).toEqual(new Set([await page.evaluate('location.origin')]));
  expect(page.problems).toEqual([]);
});

test('the README says what the buttons say', () => {
  const readme = readFileSync(join(EXAMPLE, 'README.md'), 'utf8');
  const script = readFileSync(join(EXAMPLE, 'page/page.js'), 'utf8');
  const ways = [...script.matchAll(/title: '(.+)',\n\s+promise: '(.+)'/g)];
  expect(ways).toHaveLength(6);
  for (const [, title, promise] of ways) expect(readme).toContain(`| ${title} | ${promise} |`);
});
