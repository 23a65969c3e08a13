import { spawn } from 'node:child_process';
import { once } from 'node:events';
import { cpSync, mkdtempSync, readFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { startProxyCommand, type ProxyCommand } from '../proxy/clients/support/proxy-command';
import { callAdmin } from '../proxy/support/proxy-world';
import { ifInstalled } from '../proxy/support/installed';
import { later, stopAll, until } from '../proxy/support/world';
import { hasChromium, openPage, type Page } from '../support/chromium';
import { firstLine } from '../support/first-line';
import { hasRedisServer, startRedisServer } from '../support/redis-server';
import { link, remove, ROOT } from './support/installed';

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
  for (const name of ['iovalkey', 'ws']) link(folder, name);
  // As it is built now: npm run build.
  for (const name of ['package.json', 'dist/client'])
    cpSync(join(ROOT, name), join(folder, 'node_modules/drainshift', name), { recursive: true });
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

/** Each button's promise: five work always, and one works one time in three, because nothing brings it to the WebSocket. */
async function expectPromises(page: Page): Promise<void> {
  const together = await pressAll(page, 5);
  expect(together).toEqual({ ...everyTime(5), 'http-ws': [together['http-ws']![0], 5] });
  const before = await countsOf(page);
  for (let n = 1; n <= 6; n += 1) {
    await key(page, '4');
    await until(async () => (await countsOf(page))['http-ws']![1] >= before['http-ws']![1] + n);
  }
  expect(since(before, await countsOf(page))['http-ws']).toEqual([2, 6]);
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

inChromium('each of the six buttons keeps its promise before, during and after a cutover, and back', async () => {
  const { proxy, page } = await startBoth();
  // Taken out of the document, to simulate what is not sticky.
  expect(await page.evaluate('document.cookie')).toBe('');
  await expectPromises(page);
  let reconnects = 0;
  for (const to of ['target', 'source'] as const) {
    // Pressed again and again, while the sides change.
    const before = await countsOf(page);
    const pressing = pressAll(page, 20);
    await until(async () => (await countsOf(page))['ws-ws']![1] > before['ws-ws']![1] + 2);
    await retarget(proxy, to);
    const { 'http-ws': without, ...during } = await pressing;
    expect(during).toEqual(everyTime(20));
    expect(without![1]).toBe(20);
    await until(isConnectedTo(page, to));
    reconnects += 1;
    expect(await textOf(page, 'reconnects')).toBe(String(reconnects));
    expect(Number(await textOf(page, 'gap'))).toBeGreaterThan(0);
    await expectPromises(page);
  }
  expect(await textOf(page, 'log')).toContain('WebSocket closed with 1012');
  expect(await page.evaluate(`document.querySelectorAll('#strip .gap').length`)).toBeGreaterThanOrEqual(2);
  expect(await page.evaluate(`document.querySelectorAll('#strip .target').length`)).toBeGreaterThan(2);
  expect([page.problems, proxy.problems()]).toEqual([[], []]);

  // The other cookie: the page connects anew, and nothing of the promises changes.
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
