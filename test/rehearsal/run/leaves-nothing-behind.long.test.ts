import { cpSync, existsSync, mkdirSync, readFileSync, readdirSync, rmSync, statSync, writeFileSync } from 'node:fs';
import { createServer } from 'node:net';
import type { AddressInfo } from 'node:net';
import { join } from 'node:path';
import { until } from '../../support/until';
import { Command, FREE_PORTS, synthesize, temporaryFolder } from '../command';

let folder: string;
let app: string;
/** Where the command puts its files: what is left of them is seen here. */
let temporary: string;
const commands: Command[] = [];

beforeAll(() => {
  folder = temporaryFolder();
  app = synthesize(folder);
});
afterAll(() => rmSync(folder, { recursive: true, force: true }));
beforeEach(() => {
  temporary = join(folder, `temporary-${Date.now()}`);
  mkdirSync(temporary);
});
afterEach(async () => {
  for (const command of commands.splice(0)) {
    command.signal('SIGKILL');
    await command.ended;
  }
});

function rehearse(assembly: string, ...args: string[]): Command {
  const command = new Command(['rehearse', '--app', assembly, '--traffic', '0.1', ...FREE_PORTS, ...args], {
    temporary,
    isWatched: true,
  });
  commands.push(command);
  return command;
}

/** A rehearsal in the midst of its cutover, with every kind of process that it has. */
async function underWay(...args: string[]): Promise<Command> {
  const command = rehearse(app, ...args);
  await command.says(/cutover '[^']+' started/);
  await until(() => command.running().some((each) => each.includes('functions/host')));
  const kinds = ['reaper.js', 'store-server.js', 'backend/app.js', 'traffic/main.js', 'functions/host.js', 'proxy.js'];
  const counts = kinds.map((kind) => command.running().filter((each) => each.includes(kind)).length);
  expect(counts).toEqual([1, 1, 2, 1, expect.any(Number), 4]);
  expect(readdirSync(temporary)).toHaveLength(1);
  return command;
}

/** At once for a command that ends in good order; for a killed one as soon as its processes have noticed. */
async function nothingIsLeft(command: Command): Promise<void> {
  await until(() => command.running().length === 0 && readdirSync(temporary).length === 0);
}

test('Ctrl-C ends every process and takes the folder away before the command ends', async () => {
  const command = await underWay('--redeploy', app);
  command.signal('SIGINT');
  expect(await command.ended).toMatchObject({
    code: 1,
    output: expect.stringContaining('stopped before a verdict') as string,
  });
  expect(command.running()).toEqual([]);
  expect(readdirSync(temporary)).toEqual([]);
});

test('a second Ctrl-C ends at once, and what it leaves is cleared away', async () => {
  const command = await underWay();
  command.signal('SIGINT');
  await new Promise((resolve) => setImmediate(resolve));
  command.signal('SIGTERM');
  expect((await command.ended).code).toBe(1);
  await nothingIsLeft(command);
});

test('killed without a chance to clean up, it leaves no process and no folder', async () => {
  const command = await underWay();
  command.signal('SIGKILL');
  await command.ended;
  await nothingIsLeft(command);
});

test('Ctrl-C works while the backends start', async () => {
  const command = rehearse(app);
  await command.says(/starting the backends/);
  command.signal('SIGINT');
  expect(await command.ended).toMatchObject({
    code: 1,
    output: expect.stringContaining('stopped before a verdict') as string,
  });
  expect(command.output).not.toContain('load balancer on');
  expect(command.running()).toEqual([]);
  expect(readdirSync(temporary)).toEqual([]);
});

test('a reader that goes away ends it quietly', async () => {
  const command = await underWay();
  const { length } = command.output;
  command.stopReading();
  expect((await command.ended).code).toBe(1);
  expect(command.output.slice(length)).not.toMatch(/EPIPE|Error|drainshift:/);
  expect(command.running()).toEqual([]);
  expect(readdirSync(temporary)).toEqual([]);
});

test('a start that fails half-way leaves nothing', async () => {
  const taken = createServer().listen(0, '127.0.0.1');
  await new Promise((resolve) => taken.once('listening', resolve));
  const command = rehearse(app, '--map-port', `9201=${(taken.address() as AddressInfo).port}`);
  expect(await command.ended).toMatchObject({ code: 1, output: expect.stringContaining('EADDRINUSE') as string });
  taken.close();
  expect(command.running()).toEqual([]);
  expect(readdirSync(temporary)).toEqual([]);
});

test('tasks that do not come up end it, and the log that the message names is kept', async () => {
  const broken = join(folder, 'broken');
  cpSync(app, broken, { recursive: true });
  for (const asset of readdirSync(broken).filter((name) => existsSync(join(broken, name, 'proxy.js')))) {
    writeFileSync(join(broken, asset, 'proxy.js'), "console.error('no such thing'); process.exit(3);");
  }
  const command = rehearse(broken, '--allow-foreign-commands');
  const { code, output } = await command.ended;
  expect(code).toBe(1);
  const [, log = ''] = /the tasks of '\S+' must stay up, got .*\(status 3\) \(log: (\S+)\)$/m.exec(output) ?? [];
  expect(readFileSync(log, 'utf8')).toContain('no such thing');
  // Nobody else's to read.
  expect(statSync(log).mode & 0o777).toBe(0o600);
  expect(readdirSync(temporary).map((name) => join(temporary, name))).toEqual([log]);
  expect(command.running()).toEqual([]);
});

test.each(['--json', '--report'])('%s is tried before anything is started', async (option) => {
  const unwritable = join(folder, 'missing', 'file');
  const command = rehearse(app, option, unwritable);
  expect(await command.ended).toEqual({
    code: 64,
    output: `drainshift: '${option}' must be a file that can be written, got '${unwritable}' (ENOENT)\n`,
  });
  expect((await rehearse(app, option, folder).ended).output).toContain('(EISDIR)');
});

test('a trial of a file leaves none behind, and none changed', async () => {
  const [present, absent] = [join(folder, 'present.json'), join(folder, 'absent.html')];
  writeFileSync(present, 'before');
  const plan = join(folder, 'plan.json');
  writeFileSync(plan, '{"pollSeconds":0}');
  expect(await rehearse(app, '--json', present, '--report', absent, '--plan', plan).ended).toMatchObject({ code: 64 });
  expect(readFileSync(present, 'utf8')).toBe('before');
  expect(existsSync(absent)).toBe(false);
});
