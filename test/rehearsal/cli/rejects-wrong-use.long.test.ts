import { mkdirSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { createServer } from 'node:net';
import type { AddressInfo } from 'node:net';
import { join } from 'node:path';
import { Command, FREE_PORTS, run, synthesize, temporaryFolder } from '../command';

let folder: string;
let app: string;
beforeAll(() => {
  folder = temporaryFolder();
  app = synthesize(folder);
});
afterAll(() => rmSync(folder, { recursive: true, force: true }));

const rehearse = (...args: string[]) => run(['rehearse', '--app', app, ...FREE_PORTS, ...args]);
const last = (output: string) => output.trimEnd().split('\n').at(-1);

test('an unknown option, an unknown fault, a value out of range: exit code 64 and what is wrong', async () => {
  expect(await run(['rehearse', '--sped', '3'])).toMatchObject({
    code: 64,
    output: expect.stringContaining("unknown option '--sped'") as string,
  });
  expect(await run(['rehearse', '--fault', 'x'])).toMatchObject({
    code: 64,
    output: expect.stringContaining('target-errors') as string,
  });
  expect(await run(['rehearse', '--speed', '0'])).toMatchObject({
    code: 64,
    output: expect.stringContaining("must be a number from 1 to 10000, got '0'") as string,
  });
  expect(await run(['rehearse', '--traffic', '0'])).toMatchObject({
    code: 64,
    output: expect.stringContaining("must be a number from 0.1 to 1000, got '0'") as string,
  });
  expect(await run(['rehearse', '--map-port', '443'])).toMatchObject({
    code: 64,
    output: expect.stringContaining('TEMPLATE_PORT=PORT') as string,
  });
  expect(await run(['migrate'])).toMatchObject({ code: 64 });
});

test('a fault that has nothing to work on is rejected before anything starts', async () => {
  const decide = await rehearse('--fault', 'function-killed@decide');
  expect([decide.code, last(decide.output)]).toEqual([
    64,
    "drainshift: '--fault function-killed@decide' must have a plan that switches (--strategy drain-then-shift), got one that does not",
  ]);
  const captured = await rehearse('--fault', 'capture-away');
  expect([captured.code, last(captured.output)]).toEqual([
    64,
    "drainshift: '--fault capture-away@bake' must have a source that records in a bucket (--capture s3), got none",
  ]);
  const listed = await run(['rehearse', '--list-faults', '--json']);
  expect(JSON.parse(listed.output)).toContainEqual(
    expect.objectContaining({ name: 'target-dead', outcomes: ['rolled-back'], exitCodes: [2, 3], restoredWithin: 10 }),
  );
  const file = join(folder, 'faults.json');
  expect(await run(['rehearse', '--list-faults', '--json', file])).toEqual({ code: 0, output: '' });
  expect(readFileSync(file, 'utf8')).toBe(listed.output);
  expect((await run(['rehearse', '--list-faults'])).output).toContain('second-cutover\n  A second cutover is started');
  expect(await rehearse('--json')).toMatchObject({
    code: 64,
    output: "error: '--json' must name a file for the evidence, got none\n",
  });
});

test('a scenario that breaks rules, each with its line, and a recording that is none, before anything starts', async () => {
  const file = join(folder, 'scenario.yaml');
  writeFileSync(file, 'requests:\n  - path: /\n    weight: 0\n    expect: { status: 1 }\n');
  expect(await rehearse('--scenario', file)).toEqual({
    code: 64,
    output: `drainshift: 'requests[0].expect.status' must be an integer from 200 to 599, got 1 (line 4)
'requests[0].weight' must be an integer from 1 to 1000, got 0 (line 3)
`,
  });
  const none = await rehearse('--har', file);
  expect([none.code, last(none.output)]).toEqual([
    64,
    `drainshift: '--har' must be a HAR, got what is no JSON (line 1, character 1), in '${file}'`,
  ]);
  const both = await rehearse('--har', file, '--scenario', file);
  expect([both.code, last(both.output)]).toEqual([
    64,
    `drainshift: '--scenario' and '--har' must not be given together, got '${file}' and '${file}'`,
  ]);
});

test('a redeploy of a missing assembly is rejected before anything starts', async () => {
  const missing = await rehearse('--redeploy', join(folder, 'nowhere'));
  expect(missing).toMatchObject({ code: 64 });
  expect(last(missing.output)).toMatch(/'--redeploy' must be a folder with a synthesized CDK app, got '.*nowhere'/);
});

test('proxies that were not synthesized for a switch, before anything starts', async () => {
  const without = await rehearse('--strategy', 'drain-then-shift');
  expect(without).toMatchObject({ code: 64 });
  expect(last(without.output)).toMatch(
    /the service '.+' must be synthesized with CutoverPlan.drainThenShift to switch, got one without DRAINSHIFT_SWITCH_STORE; .*drainshift:strategy=drain-then-shift/,
  );
});

test('proxies that were not synthesized to record, before anything starts', async () => {
  const without = await rehearse('--capture', 's3');
  expect(without).toMatchObject({ code: 64 });
  expect(last(without.output)).toMatch(
    /the service '.+' must be synthesized with TrafficCapture.toBucket for '--capture s3', got one without DRAINSHIFT_CAPTURE; /,
  );
});

test('a limit of open files that its traffic would reach, before anything starts', async () => {
  const { ended } = new Command(['rehearse', '--app', app, ...FREE_PORTS], { files: '256' });
  const { code, output } = await ended;
  expect(code).toBe(64);
  expect(last(output)).toMatch(/limit of open files must be at least \d+ for this traffic, got 256: .*ulimit -n \d+/);
});

test('a missing assembly and a foreign one', async () => {
  const missing = await run(['rehearse', '--app', join(folder, 'nowhere')]);
  expect(missing).toMatchObject({ code: 64 });
  expect(last(missing.output)).toMatch(
    /'--app' must be a folder with a synthesized CDK app, got '.*nowhere' without a manifest.json; run 'npx cdk synth' first/,
  );

  const foreign = join(folder, 'foreign');
  mkdirSync(foreign);
  writeFileSync(
    join(foreign, 'manifest.json'),
    JSON.stringify({ artifacts: { A: { type: 'aws:cloudformation:stack', properties: { templateFile: 't.json' } } } }),
  );
  writeFileSync(join(foreign, 't.json'), JSON.stringify({ Resources: { B: { Type: 'AWS::S3::Bucket' } } }));
  const other = await run(['rehearse', '--app', foreign]);
  expect(other).toMatchObject({ code: 64 });
  expect(last(other.output)).toBe(
    "drainshift: '--app' must hold a stack with a drainshift Migration, got 'A' without one",
  );

  writeFileSync(join(foreign, 't.json'), '{ "Resources"');
  expect(await run(['rehearse', '--app', foreign])).toMatchObject({
    code: 64,
    output: expect.stringContaining('must be JSON') as string,
  });
});

test('a plan that cannot be read, is no YAML, or breaks rules: every rule in one response', async () => {
  expect(await rehearse('--plan', join(folder, 'none.json'))).toMatchObject({
    code: 64,
    output: expect.stringContaining('ENOENT') as string,
  });
  const plan = join(folder, 'plan.yaml');
  writeFileSync(plan, 'stages: [');
  expect(await rehearse('--plan', plan)).toMatchObject({
    code: 64,
    output: expect.stringContaining("'--plan' must be JSON or YAML") as string,
  });
  writeFileSync(plan, 'stages:\n  - weights: { source: 0, target: 1000 }\npollSeconds: 0\n');
  const wrong = await rehearse('--plan', plan);
  expect(wrong.code).toBe(64);
  expect(wrong.output).toContain("'stages[0].weights.target' must be an integer from 0 to 999, got 1000");
  expect(wrong.output).toContain("'pollSeconds' must be an integer from 1 to 840, got 0");
});

test('a backend that does not respond, and one that is no URL', async () => {
  const dead = await rehearse('--source', 'http://127.0.0.1:1', '--target', 'http://127.0.0.1:1');
  expect(dead).toMatchObject({ code: 1 });
  expect(last(dead.output)).toMatch(/the backend of '--\w+' must respond, got \S+.* from http:\/\/127\.0\.0\.1:1$/);
  const one = await rehearse('--source', 'http://127.0.0.1:1');
  expect(one).toMatchObject({ code: 64 });
  expect(last(one.output)).toBe(
    "drainshift: '--target' must be http(s)://host[:port], and both sides must be given, got nothing",
  );
});

test("users' own backends without a path to ask for: there would be no traffic", async () => {
  const plan = join(folder, 'no-smoke.json');
  writeFileSync(plan, '{"smoke":[]}');
  const own = await rehearse('--source', 'http://127.0.0.1:1', '--target', 'http://127.0.0.1:1', '--plan', plan);
  expect(own).toEqual({
    code: 64,
    output:
      "drainshift: 'smoke' must have at least one request when '--source' and '--target' are given without '--scenario' or '--har', since it is their traffic then, got 0\n",
  });
});

test('a port in use is named with a way out', async () => {
  const taken = createServer().listen(0, '127.0.0.1');
  await new Promise((resolve) => taken.once('listening', resolve));
  const { port } = taken.address() as AddressInfo;
  const busy = await rehearse('--map-port', `9201=${port}`);
  taken.close();
  expect(busy.code).toBe(1);
  expect(last(busy.output)).toContain(
    `drainshift: listener :9201 must have a port of its own, got EADDRINUSE for 127.0.0.1:${port}; free it, or map it: --map-port 9201=`,
  );
});

test('a port that no listener has', async () => {
  const { code, output } = await rehearse('--map-port', '1234=0');
  expect(code).toBe(64);
  expect(last(output)).toBe("drainshift: '--map-port' must name a listener's port (443, 9201, 9202), got 1234");
});

test('help and version are no errors', async () => {
  expect(await run(['--help'])).toMatchObject({ code: 0, output: expect.stringContaining('rehearse') as string });
  const { version } = JSON.parse(readFileSync(join(__dirname, '../../../package.json'), 'utf8')) as { version: string };
  expect(await run(['--version'])).toMatchObject({ code: 0, output: `${version}\n` });
});
