import { copyFileSync, readFileSync, writeFileSync } from 'node:fs';
import net from 'node:net';
import path from 'node:path';
import type { LedgerReport } from '../../../core/proxy/admin-api';
import { total } from '../../../core/proxy/connections';
import {
  ProxyBundle,
  bundleProxy,
  findChildren,
  findDescendants,
  isAlive,
  kill,
  logged,
} from '../support/proxy-process';
import { findReport } from '../support/proxy-world';
import { Askers, RestartWorld, findPid, restart, startRestartable } from '../support/restart-world';
import { get, later, selfSigned, startRawBackend, stopAll, until } from '../support/world';

let bundle: ProxyBundle;
beforeAll(() => {
  bundle = bundleProxy();
  copyFileSync(code(), kept());
});
afterEach(() => copyFileSync(kept(), code()));
afterAll(() => bundle.remove());
afterEach(stopAll);

const kept = () => path.join(bundle.folder, 'kept.js');
const code = () => path.join(bundle.folder, 'proxy.js');

/** What the next generation is started from. */
function replaceCode(text: string): void {
  writeFileSync(code(), text.replace('THE_PROXY', JSON.stringify(kept())));
}

function generations(report: LedgerReport) {
  return report.generations!;
}

test('a generation that does not prove itself changes nothing, and the old one says why', async () => {
  const world = await startRestartable(bundle);
  const { proxy, port, admin, write, file } = world;
  const { cert } = await selfSigned();
  const { key } = await selfSigned();
  const [certificateFile, keyFile] = ['cert.pem', 'key.pem'].map((name) => path.join(bundle.folder, name));
  writeFileSync(certificateFile!, cert);
  writeFileSync(keyFile!, key);
  // What connects there gets no response.
  const taken = await startRawBackend(() => undefined);
  const askers = new Askers(port, 2);
  const cases: readonly [name: string, change: () => void, why: RegExp][] = [
    ['broken YAML', () => writeFileSync(file, 'listen: [\n'), /'config' must be a readable YAML file/],
    ['a value out of bounds', () => write({ workers: 0 }), /'workers' must be an integer from 1 to 64, got 0/],
    [
      'a port that is taken',
      () => write({ listen: `127.0.0.1:${taken}` }),
      /'listen' must be a free port, got 127\.0\.0\.1:\d+, which is in use/,
    ],
    [
      'a key of another certificate',
      () => write({ tls_certificate_file: certificateFile, tls_key_file: keyFile }),
      /'tls_key_file' must be the key of the first certificate/,
    ],
    [
      'the other side',
      () => write({ side: 'target' }),
      /'side' must be source, as in the generation before, got target/,
    ],
    [
      'a session store that does not respond',
      () => write({ session_store_url: `redis://127.0.0.1:${taken}` }),
      /the session store must respond, got no response/,
    ],
    [
      'a crash at its start',
      () => (write({}), replaceCode('process.exit(3)')),
      /it ended as it started, with exit code 3/,
    ],
    [
      'a crash as it takes over',
      () => (
        write({}),
        replaceCode('process.on("message", (m) => m.type === "takeOver" && process.exit(4));require(THE_PROXY)')
      ),
      /exit code 4|it ended/,
    ],
  ];
  for (const [name, change, why] of cases) {
    change();
    const { status, body } = await restart({ admin });
    expect({ name, status, body }).toMatchObject({ name, status: 500, body: expect.stringMatching(why) as unknown });
    const report = await findReport(admin);
    expect(generations(report)).toMatchObject({ number: 1, live: 1, restart: 'none' });
    expect(generations(report).failed).toMatch(why);
    await until(() => findChildren(proxy.child).length === 0);
  }
  // And one that is in order afterwards is not held against the others.
  copyFileSync(kept(), code());
  write({});
  expect((await restart({ admin })).status).toBe(202);
  await askers.more(10);
  await askers.stop();
  expect(askers.problems).toEqual([]);
  const report = await findReport(admin);
  expect(generations(report).failed).toBeUndefined();
  expect(report.requests).toEqual({ total: askers.asked, responded: askers.asked, errors: 0 });
});

test('a new generation that hangs at its start is ended', async () => {
  const { proxy, port, admin } = await startRestartable(bundle, { restart_timeout_seconds: 1 });
  replaceCode('setInterval(() => undefined, 1000)');
  const { status, body } = await restart({ admin });
  expect({ status, body }).toMatchObject({ status: 500 });
  expect(body).toContain('it must prove itself within 1 s, got nothing: it was ended');
  await until(() => findChildren(proxy.child).length === 0);
  expect((await get({ port })).body).toBe('source');
});

test('one restart at a time, and no more generations than are allowed', async () => {
  // A connection that lasts keeps its generation.
  const { proxy, port, admin, write } = await startRestartable(
    bundle,
    { max_generations: 2, grace_period_seconds: 60 },
    (_, response) => void response.write('begun'),
  );
  const hanging = net.connect(port, '127.0.0.1');
  later(() => void hanging.destroy());
  hanging.write('GET / HTTP/1.1\r\nhost: x\r\n\r\n');
  await new Promise((resolve) => hanging.once('data', resolve));
  write({ max_generations: 2, grace_period_seconds: 60 });
  const both = await Promise.all([restart({ admin }), restart({ admin })]);
  expect(both.map(({ status }) => status).sort()).toEqual([202, 409]);
  expect(both.map(({ body }) => body).join('')).toContain('A restart is under way');
  const third = await restart({ admin });
  expect(third.status).toBe(409);
  expect(third.body).toContain("There must be fewer than 2 generations ('max_generations') for another one, got 2");
  expect((await findReport(admin)).generations).toMatchObject({ number: 2, live: 2 });
  expect(total((await findReport(admin)).active)).toBe(1);
  hanging.destroy();
  await until(() => proxy.lines.some(({ msg }) => msg.startsWith('The generation before has ended')));
  expect(total((await findReport(admin)).active)).toBe(0);
});

async function startLoaded(): Promise<RestartWorld & { askers: Askers }> {
  const world = await startRestartable(bundle, { workers: 2 });
  const askers = new Askers(world.port, 2);
  await askers.more(5);
  return { ...world, askers };
}

test('a new generation that is killed before it serves changes nothing', async () => {
  const { proxy, admin, askers } = await startLoaded();
  const workers = findChildren(proxy.child);
  const restarted = restart({ admin });
  const added = () => findChildren(proxy.child).find((pid) => !workers.includes(pid));
  await until(() => added() !== undefined);
  kill(added());
  expect((await restarted).status).toBe(500);
  await askers.more(10);
  await askers.stop();
  expect(askers.problems).toEqual([]);
  expect((await findReport(admin)).requests.total).toBe(askers.asked);
});

test('an old generation that is killed after the new one serves takes its own connections with it, and no more', async () => {
  const { proxy, port, admin } = await startRestartable(
    bundle,
    { workers: 1, grace_period_seconds: 60 },
    (request, response) => {
      if (request.url === '/stays') response.write('begun');
      else response.end('source');
    },
  );
  const hanging = net.connect(port, '127.0.0.1');
  hanging.on('error', () => undefined);
  later(() => void hanging.destroy());
  hanging.write('GET /stays HTTP/1.1\r\nhost: x\r\n\r\n');
  await new Promise((resolve) => hanging.once('data', resolve));
  const before = await findReport(admin);
  expect((await restart({ admin })).status).toBe(202);
  kill(proxy.child.pid);
  await new Promise((resolve) => hanging.once('close', resolve));
  await until(async () => (await findReport(admin)).instance !== before.instance);
  const after = await findReport(admin);
  expect(after.identity).toBe(before.identity);
  // Which of the two it is depends on how long it has lasted.
  expect(after.ended.http.forced + after.ended.streaming.forced).toBe(1);
  expect(after.sinceLossMs).toBeGreaterThanOrEqual(0);
  expect((await get({ port, path: '/' })).body).toBe('source');
  // And it can be restarted again, without the process that was the first.
  expect((await restart({ admin })).status).toBe(202);
  expect((await get({ port, path: '/' })).body).toBe('source');
});

test('an old generation that is killed while the new one starts is succeeded all the same', async () => {
  const { proxy, port, admin, askers } = await startLoaded();
  const waiting = `const { existsSync } = require('node:fs');
const send = process.send?.bind(process);
if (process.env.DRAINSHIFT_WORKER_NUMBER === undefined) process.send = (message, ...more) => {
  if (message.type !== 'ready') return send(message, ...more);
  const wait = () => (existsSync(${JSON.stringify(path.join(bundle.folder, 'go'))}) ? undefined : setTimeout(wait, 10));
  console.log('{"msg":"About to be ready"}');
  wait();
};
require(THE_PROXY);`;
  replaceCode(waiting);
  const restarted = restart({ admin }).catch(() => undefined);
  await logged(proxy, /^About to be ready$/);
  const workers = findDescendants(proxy.child);
  kill(proxy.child.pid);
  await restarted;
  await until(() => findPid(proxy, 2) !== undefined);
  // Its workers let go of their connections in order.
  await until(() => workers.filter(isAlive).length < workers.length);
  await askers.more(10);
  await askers.stop();
  expect(askers.problems).toEqual([]);
  expect((await get({ port })).body).toBe('source');
  expect(readFileSync(path.join(bundle.folder, 'proxy.js'), 'utf8')).toContain('About to be ready');
});
