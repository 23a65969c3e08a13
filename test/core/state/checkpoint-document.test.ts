import { execFileSync, spawnSync } from 'node:child_process';
import { readFileSync } from 'node:fs';
import { join } from 'node:path';
import { CHECKPOINT_ACTIONS } from '../../../core/state/checkpoint';
import { CheckpointHosts, renderCheckpointDocument } from '../../../core/state/checkpoint-document';
import { formatCopyId } from '../../../core/state/preparation';

const SCRIPT = readFileSync(join(__dirname, '../../../host/checkpoint.sh'), 'utf8');
/** Of a document, without the text of its parts. */
const MAX_DOCUMENT_BYTES = 65_536;

interface Parameter {
  readonly type: string;
  readonly description: string;
  readonly default?: string;
  readonly allowedPattern?: string;
  readonly allowedValues?: readonly string[];
}

interface Rendered {
  readonly schemaVersion: string;
  readonly parameters: Readonly<Record<string, Parameter>>;
  readonly mainSteps: readonly {
    readonly action: string;
    readonly inputs: { readonly timeoutSeconds: string; readonly runCommand: readonly string[] };
  }[];
}

const HOSTS: CheckpointHosts = {
  ...({ engine: 'criu', engineCommand: 'criu', folder: '/dev/shm/drainshift' } as const),
  source: { pidFile: '/run/app.pid', start: 'systemctl restart app' },
  target: { pidFile: '/run/new.pid', start: 'systemctl restart new' },
};

const render = (hosts: Partial<CheckpointHosts> = {}, script = SCRIPT) =>
  renderCheckpointDocument({ ...HOSTS, ...hosts }, script) as Rendered;

const lines = (document: Rendered) => document.mainSteps.flatMap(({ inputs }) => inputs.runCommand);

/** As the agent does. */
function fill(document: Rendered, given: Readonly<Record<string, string>>): string {
  const value = (name: string) => given[name] ?? document.parameters[name]?.default ?? '';
  return lines(document)
    .join('\n')
    .replace(/\{\{ *(\w+) *\}\}/g, (_, name: string) => value(name));
}

const PARAMETERS = { action: 'dump', side: 'source', copy: 'run.target.1.1', epoch: '7', until: '1700000000' };

test('it runs the whole script with the parameters, and has no other of them', () => {
  const document = render();
  const used = [
    ...lines(document)
      .join('\n')
      .matchAll(/\{\{([^}]*)\}\}/g),
  ].map(([, name]) => name!.trim());
  expect(used).toEqual(['action', 'side', 'copy', 'epoch', 'behind', 'until']);
  expect(Object.keys(document.parameters).sort()).toEqual(used.sort());
  expect(lines(document).join('\n').split('{{')).toHaveLength(7);
  expect(lines(document).join('\n')).toContain(SCRIPT.trimEnd());
  expect(document).toMatchObject({ schemaVersion: '2.2', mainSteps: [{ action: 'aws:runShellScript' }] });
});

test('it is as small as a document must be, also with the longest settings', () => {
  const host = { pidFile: `/${'p'.repeat(200)}`, start: "'".repeat(1_000) };
  const images = `s3://${'b'.repeat(63)}/drainshift-checkpoints`;
  const document = render({ source: host, target: host, images, engineCommand: "'".repeat(1_000) });
  expect(Buffer.byteLength(JSON.stringify(document))).toBeLessThan(MAX_DOCUMENT_BYTES);
});

test('bash reads all of it', () => {
  expect(spawnSync('bash', ['-n'], { input: fill(render(), PARAMETERS), encoding: 'utf8' })).toMatchObject({
    ...{ status: 0, stderr: '' },
  });
});

const NAMES = 'ACTION SIDE COPY EPOCH UNTIL ENGINE ENGINE_COMMAND FOLDER BUCKET PID_FILE START'.split(' ');
const PRINT = NAMES.map((name) => `printf '%s\\0' "$${name}"`).join('\n');

/** What bash has in each variable. */
function findSettings(hosts: Partial<CheckpointHosts>, given: object = {}) {
  const script = fill(render(hosts, PRINT), { ...PARAMETERS, ...given });
  const values = execFileSync('bash', ['-s'], { input: script, encoding: 'utf8' }).split('\0');
  return Object.fromEntries(NAMES.map((name, at) => [name, values[at]]));
}

test.each([
  'plain',
  'two words',
  "a 'quoted' word",
  '"double" $HOME $(id) `id`',
  String.raw`back\slash\n`,
  'a; b && c | d > e # f',
  '*?[a]~!',
  "'",
])('a shell has every setting as it was given: %s', (text) => {
  const host = { pidFile: text, start: text };
  const hosts = { engineCommand: text, folder: text, images: text, source: host, target: host };
  for (const side of ['source', 'target']) {
    expect(findSettings(hosts, { side })).toMatchObject({
      ...{ ENGINE: 'criu', ENGINE_COMMAND: text, FOLDER: text, BUCKET: text, PID_FILE: text, START: text, SIDE: side },
    });
  }
});

test('each side has its own application, and the parameters are in their variables', () => {
  expect(findSettings({})).toEqual({
    ...{ ACTION: 'dump', SIDE: 'source', COPY: 'run.target.1.1', EPOCH: '7', UNTIL: '1700000000' },
    ...{ ENGINE: 'criu', ENGINE_COMMAND: 'criu', FOLDER: '/dev/shm/drainshift', BUCKET: '' },
    ...{ PID_FILE: '/run/app.pid', START: 'systemctl restart app' },
  });
  expect(findSettings({}, { side: 'target' })).toMatchObject({
    ...{ PID_FILE: '/run/new.pid', START: 'systemctl restart new' },
  });
});

test('by hand an action and a side are enough', () => {
  const document = render();
  const needed = Object.entries(document.parameters).filter(([, { default: own }]) => own === undefined);
  expect(needed.map(([name]) => name)).toEqual(['action', 'side']);
  for (const [name, { default: own }] of Object.entries(document.parameters)) {
    if (own !== undefined) expect([name, isAllowed(document.parameters[name]!, own)]).toEqual([name, true]);
  }
});

function isAllowed({ allowedPattern, allowedValues }: Parameter, value: string): boolean {
  return allowedValues?.includes(value) ?? new RegExp(allowedPattern!).test(value);
}

const HARMFUL = [
  ...["'", '"', '`', '$(id)', ';', 'a;b', "a'b", 'a"b', 'a b', 'a\nb', 'a\n', '\na', '..', '../a', 'a/b', '/etc', ''],
  ...['{{ ssm:secret }}', '*', '-', '\\', 'a\u0000', 'ä'],
];

test.each(['action', 'side', 'copy', 'epoch', 'until'])(
  '%s takes nothing that a shell or a path would read',
  (name) => {
    const parameter = render().parameters[name]!;
    const taken = HARMFUL.filter((value) => isAllowed(parameter, value));
    // A name of its own below the folder.
    expect(taken).toEqual(name === 'copy' ? ['-'] : []);
  },
);

test('it takes every call that the steps make', () => {
  const { parameters } = render();
  const preparation = { from: 'source', to: 'target', attempt: 20, starts: 99 } as const;
  const rest = { startedAt: '', failures: 0, unanswered: 0, isReady: true, bytes: 0, resumed: 0, tookMs: 0 };
  for (const execution of ['night', 'x'.repeat(80), 'a:b/ü.. c', '.hidden']) {
    expect(isAllowed(parameters.copy!, formatCopyId(execution, { ...preparation, ...rest }))).toBe(true);
  }
  expect(isAllowed(parameters.copy!, 'none')).toBe(true);
  for (const epoch of [0, 1, 999_999_999_999_999]) expect(isAllowed(parameters.epoch!, `${epoch}`)).toBe(true);
  expect(isAllowed(parameters.until!, `${Math.floor(Date.now() / 1000)}`)).toBe(true);
  expect(parameters.action!.allowedValues).toEqual(CHECKPOINT_ACTIONS);
});

test('the script knows every action, and no other', () => {
  const known = /^check(?: \| \w+)*\) "\$ACTION"/m.exec(SCRIPT)?.[0].match(/\w+(?= \||\))/g);
  expect(known?.sort()).toEqual([...CHECKPOINT_ACTIONS].sort());
  for (const action of CHECKPOINT_ACTIONS) expect(SCRIPT).toMatch(new RegExp(`^${action}\\(\\) \\{$`, 'm'));
});

test('a command may take longer than the agent gives it by itself, and not for ever', () => {
  expect(render().mainSteps[0]!.inputs.timeoutSeconds).toBe('600');
});
