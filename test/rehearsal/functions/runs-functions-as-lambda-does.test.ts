import { mkdirSync, mkdtempSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { PassThrough } from 'node:stream';
import { until } from '../../support/until';
import { LocalFunction } from '../../../rehearsal/functions/function';
import { Functions } from '../../../rehearsal/functions/functions';

let folder: string;
let local: LocalFunction | undefined;
let processes: Set<number>;
beforeEach(() => {
  folder = mkdtempSync(join(tmpdir(), 'drainshift-function-'));
  processes = new Set();
});
afterEach(async () => {
  await local?.stop();
  expect(processes).toEqual(new Set());
  rmSync(folder, { recursive: true, force: true });
});

const specification = () => ({
  arn: 'arn',
  name: 'name',
  folder,
  handler: 'index.handler',
  timeoutSeconds: 20,
  environment: { OWN: 'template' },
  role: 'Role',
});

function findFunction(code: string, { timeoutSeconds = 20, handler = 'index.handler' } = {}): LocalFunction {
  writeFileSync(join(folder, 'index.js'), code);
  const spec = { ...specification(), handler, timeoutSeconds };
  local = new LocalFunction(spec, () => ({ AWS_REGION: 'eu-central-1' }), {
    started: (pid) => processes.add(pid),
    ended: (pid) => processes.delete(pid),
    log: new PassThrough().resume(),
  });
  return local;
}

test('an event goes in and the value comes back, in a process of its own with its own environment', async () => {
  const asked = findFunction(
    'exports.handler = async (event) => ({ event, pid: process.pid, own: process.env.OWN, region: process.env.AWS_REGION, home: process.env.HOME })',
  );
  const response = (await asked.invoke({ a: 1 })) as Record<string, unknown>;
  expect(response).toMatchObject({ event: { a: 1 }, own: 'template', region: 'eu-central-1' });
  expect(response.home).toBeUndefined();
  expect(response.pid).not.toBe(process.pid);
});

test('a package.json above the folder of a function says nothing of it: it is not deployed', async () => {
  writeFileSync(join(folder, 'package.json'), '{ "type": "module" }');
  folder = join(folder, 'cdk.out', 'asset');
  mkdirSync(folder, { recursive: true });
  const found = findFunction("const { add } = require('./part.js'); exports.handler = async () => add(1, 2)");
  writeFileSync(join(folder, 'part.js'), 'exports.add = (a, b) => a + b');
  expect(await found.invoke({})).toBe(3);
});

test('a package.json of its own counts', async () => {
  writeFileSync(join(folder, 'package.json'), '{ "type": "module" }');
  expect(await findFunction('export const handler = async () => typeof require').invoke({})).toBe('undefined');
});

test('a warm function keeps its process', async () => {
  const asked = findFunction('let count = 0; exports.handler = async () => ++count');
  expect([await asked.invoke({}), await asked.invoke({})]).toEqual([1, 2]);
});

test("an exception is reported by its name and with Lambda's JSON", async () => {
  const failed = findFunction(
    "exports.handler = async () => { const e = new Error('no'); e.name = 'LockHeld'; throw e; }",
  ).invoke({});
  await expect(failed).rejects.toMatchObject({ name: 'LockHeld' });
  await expect(failed).rejects.toThrow(/"errorType":"LockHeld","errorMessage":"no"/);
});

test('a process that dies is an error for the event, and the next event gets a new process', async () => {
  const asked = findFunction(
    'exports.handler = async (event) => (event.die ? process.kill(process.pid, "SIGKILL") && new Promise(() => {}) : "alive")',
  );
  await expect(asked.invoke({ die: true })).rejects.toMatchObject({ name: 'Runtime.ExitError' });
  expect(await asked.invoke({})).toBe('alive');
});

test('a late function is ended, and the next event does not meet its end', async () => {
  const asked = findFunction('exports.handler = (event) => (event.late ? new Promise(() => {}) : process.pid)', {
    timeoutSeconds: 1,
  });
  const first = await asked.invoke({});
  const next = asked
    .invoke({ late: true })
    .catch((error: Error) => error)
    .then(async (error) => ({ error, pid: await asked.invoke({}) }));
  const { error, pid } = await next;
  expect(error).toMatchObject({ name: 'Sandbox.Timedout' });
  expect(pid).not.toBe(first);
});

test('an event that comes while one is at work does not wait behind it: that one may hang', async () => {
  const asked = findFunction('exports.handler = (event) => (event.hangs ? new Promise(() => {}) : process.pid)');
  const first = await asked.invoke({});
  void asked.invoke({ hangs: true }).catch(() => undefined);
  const second = await asked.invoke({});
  expect(second).not.toBe(first);
  expect(await asked.invoke({})).toBe(second);
});

test('what was stopped starts no process for a late event', async () => {
  const asked = findFunction('exports.handler = async () => 1');
  await asked.invoke({});
  await asked.stop();
  await expect(asked.invoke({})).rejects.toMatchObject({ name: 'Runtime.ExitError' });
  expect(asked.pid).toBeUndefined();
});

test('a function that comes when all were stopped, as of a redeploy that is cut, starts no process', async () => {
  writeFileSync(join(folder, 'index.js'), 'exports.handler = async () => process.pid');
  const functions = new Functions(() => ({}), {
    started: (pid) => processes.add(pid),
    ended: (pid) => processes.delete(pid),
    log: new PassThrough().resume(),
  });
  await functions.stop();
  functions.put(specification());
  await expect(functions.invoke('arn', {})).rejects.toThrow("function 'arn' must be one of the template's, got none");
});

test('a handler knows what it is and how long it may take', async () => {
  const asked = findFunction(
    `exports.handler = async (_, context) => ({
      name: context.functionName, arn: context.invokedFunctionArn, left: context.getRemainingTimeInMillis(),
    })`,
    { timeoutSeconds: 7 },
  );
  const { left, ...rest } = (await asked.invoke({})) as { left: number };
  expect(rest).toEqual({ name: 'name', arn: 'arn' });
  expect(left).toBeGreaterThan(0);
  expect(left).toBeLessThanOrEqual(7000);
});

test('after an update the next event gets the new environment, and what is under way ends in the old one', async () => {
  const asked = findFunction(`
    exports.handler = async ({ until }) => {
      while (until !== undefined && !require('node:fs').existsSync(until)) await new Promise((next) => setTimeout(next, 5));
      return process.env.OWN;
    };
  `);
  const flag = join(folder, 'go');
  const underWay = asked.invoke({ until: flag });
  asked.update({ ...specification(), environment: { OWN: 'redeployed' } });
  const { pid } = asked;
  expect(await asked.invoke({})).toBe('redeployed');
  writeFileSync(flag, '');
  expect(await underWay).toBe('template');
  expect(await asked.invoke({})).toBe('redeployed');
  // The old process is gone once it has nothing left to do.
  await until(() => processes.size <= 1);
  expect(pid).toBeUndefined();
});

test('an update without a change keeps the process warm', async () => {
  const asked = findFunction('let count = 0; exports.handler = async () => ++count');
  await asked.invoke({});
  asked.update(specification());
  expect(await asked.invoke({})).toBe(2);
});

test('events get a response one after another', async () => {
  const asked = findFunction(`
    let running = 0;
    exports.handler = async () => {
      running += 1;
      const seen = running;
      await new Promise((resolve) => setTimeout(resolve, 20));
      running -= 1;
      return seen;
    };
  `);
  expect(await Promise.all([asked.invoke({}), asked.invoke({}), asked.invoke({})])).toEqual([1, 1, 1]);
});

test('a handler that is not there is an error and not a hang', async () => {
  await expect(findFunction('exports.other = 1', { handler: 'index.handler' }).invoke({})).rejects.toMatchObject({
    name: 'Runtime.ExitError',
  });
});

test('a call that is to die does everything before, and the next one gets a new process', async () => {
  const written = join(folder, 'written');
  const asked = findFunction(
    `exports.handler = async () => { require('node:fs').appendFileSync(${JSON.stringify(written)}, 'x'); return process.pid; }`,
  );
  const first = await asked.invoke({});
  asked.breakCall('dies');
  await expect(asked.invoke({})).rejects.toMatchObject({ name: 'Runtime.ExitError' });
  expect(readFileSync(written, 'utf8')).toBe('xx');
  expect(await asked.invoke({})).not.toBe(first);
});

test.each(['the next', 'the one that is under way'])(
  '%s call that is to hang is ended by its time limit',
  async (which) => {
    const asked = findFunction(
      'exports.handler = (event) => event.lasts ? new Promise((done) => setTimeout(done, 500)) : process.pid',
      { timeoutSeconds: 1 },
    );
    const isUnderWay = which !== 'the next';
    if (!isUnderWay) asked.breakCall('hangs');
    const call = asked.invoke({ lasts: isUnderWay });
    if (isUnderWay) asked.breakCall('hangs');
    await expect(call).rejects.toMatchObject({ name: 'Sandbox.Timedout' });
    expect(await asked.invoke({})).toEqual(expect.any(Number));
  },
);
