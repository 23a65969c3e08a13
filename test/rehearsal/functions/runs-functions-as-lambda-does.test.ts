import { mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { PassThrough } from 'node:stream';
import { LocalFunction } from '../../../rehearsal/functions/function';

let folder: string;
let local: LocalFunction | undefined;
beforeEach(() => (folder = mkdtempSync(join(tmpdir(), 'drainshift-function-'))));
afterEach(() => {
  local?.stop();
  rmSync(folder, { recursive: true, force: true });
});

function functionOf(code: string, { timeoutSeconds = 20, handler = 'index.handler' } = {}): LocalFunction {
  writeFileSync(join(folder, 'index.js'), code);
  const spec = {
    arn: 'arn',
    name: 'name',
    folder,
    handler,
    timeoutSeconds,
    environment: { OWN: 'template' },
    role: 'Role',
  };
  local = new LocalFunction(spec, () => ({ AWS_REGION: 'eu-central-1' }), new PassThrough().resume());
  return local;
}

test('an event goes in and the value comes back, in a process of its own with its own environment', async () => {
  const asked = functionOf(
    'exports.handler = async (event) => ({ event, pid: process.pid, own: process.env.OWN, region: process.env.AWS_REGION, home: process.env.HOME })',
  );
  const answer = (await asked.invoke({ a: 1 })) as Record<string, unknown>;
  expect(answer).toMatchObject({ event: { a: 1 }, own: 'template', region: 'eu-central-1' });
  expect(answer.home).toBeUndefined();
  expect(answer.pid).not.toBe(process.pid);
});

test('a warm function keeps its process', async () => {
  const asked = functionOf('let count = 0; exports.handler = async () => ++count');
  expect([await asked.invoke({}), await asked.invoke({})]).toEqual([1, 2]);
});

test("an exception is reported by its name and with Lambda's JSON", async () => {
  const failed = functionOf(
    "exports.handler = async () => { const e = new Error('no'); e.name = 'LockHeld'; throw e; }",
  ).invoke({});
  await expect(failed).rejects.toMatchObject({ name: 'LockHeld' });
  await expect(failed).rejects.toThrow(/"errorType":"LockHeld","errorMessage":"no"/);
});

test('a process that dies is an error for the event, and the next event gets a new process', async () => {
  const asked = functionOf(
    'exports.handler = async (event) => (event.die ? process.kill(process.pid, "SIGKILL") && new Promise(() => {}) : "alive")',
  );
  await expect(asked.invoke({ die: true })).rejects.toMatchObject({ name: 'Runtime.ExitError' });
  expect(await asked.invoke({})).toBe('alive');
});

test('a late function is ended', async () => {
  const asked = functionOf('exports.handler = () => new Promise((resolve) => setTimeout(resolve, 60_000))', {
    timeoutSeconds: 0.5,
  });
  await expect(asked.invoke({})).rejects.toMatchObject({ name: 'Sandbox.Timedout' });
});

test('a handler that is not there is an error and not a hang', async () => {
  await expect(functionOf('exports.other = 1', { handler: 'index.handler' }).invoke({})).rejects.toMatchObject({
    name: 'Runtime.ExitError',
  });
});
