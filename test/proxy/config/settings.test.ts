import {
  buildSettingsSchema,
  formatSettingsUsage,
  listSettingFlags,
} from '../../../core/proxy/settings/describe-settings';
import { PROXY_SETTINGS, SettingField } from '../../../core/proxy/settings/settings';
import {
  LIMITS,
  PROXY_VARIABLES,
  SETTINGS,
  Setting,
  TIMEOUTS,
  completeLimits,
  completeTimeouts,
  flagName,
  limitName,
  timeoutName,
  variableName,
} from '../../../core/proxy/settings/setting-names';
import { readFlags } from '../../../proxy/config/flags';
import { listProblems, read } from '../support/settings';

const upstream = 'http://a';
/** Settings of a capture and of a mirror are of no use without one. */
const both = { capture: 'captured', mirror_url: 'http://b' };
const fields = SETTINGS.map((name) => [name, PROXY_SETTINGS[name] as SettingField] as const);
const own = (name: Setting, value: unknown) =>
  listProblems({ file: { upstream, ...both, [name]: value } }).filter((line) => line.startsWith(`'${name}' must be `));

test.each(fields.filter(([, { kind }]) => kind === 'integer' || kind === 'number'))(
  '%s: its bounds are accepted, what is outside of them is rejected, and its default is inside',
  (name, field) => {
    if (field.kind !== 'integer' && field.kind !== 'number') throw new Error('a number');
    for (const value of [field.min, field.max, field.default]) expect(own(name, value)).toEqual([]);
    const step = field.kind === 'integer' ? 1 : 0.001;
    for (const value of [field.min - step, field.max + step, 'many', [], {}]) expect(own(name, value)).toHaveLength(1);
    if (field.kind === 'integer') expect(own(name, field.min + 0.5)).toHaveLength(1);
  },
);

test.each(fields.filter(([, { kind }]) => kind === 'choice' || kind === 'boolean'))(
  '%s: only its values are accepted',
  (name, field) => {
    const values = field.kind === 'choice' ? field.values : [true, false];
    const own = (value: unknown) =>
      listProblems({
        file: { upstream, session_store_url: 'redis://store', ...both, service_name: 'a', [name]: value },
      });
    for (const value of values) expect(own(value)).toEqual([]);
    for (const value of ['other', 7, []]) expect(own(value)).toHaveLength(1);
  },
);

test.each(fields.filter(([, { kind }]) => kind === 'text'))('%s: an object is no text', (name) => {
  // One is read with the admin port alone, the other one with the metrics.
  const file = { upstream, admin: '127.0.0.1:1', emf: true, [name]: {} };
  expect(listProblems({ file }).some((line) => line.startsWith(`'${name}' must be `))).toBe(true);
});

test('flags, variables and the file give the same', () => {
  const texts = fields.flatMap(([name, field]) => {
    if (field.kind === 'integer' || field.kind === 'number') return [[name, String(field.min)] as const];
    return field.kind === 'choice' ? [[name, field.values.at(-1)!] as const] : [];
  });
  const inFile = texts.map(([name, text]) => [name, Number.isNaN(Number(text)) ? text : Number(text)] as const);
  const args = texts.flatMap(([name, text]) => [flagName(name), text]);
  const command = readFlags(args);
  const flags = 'flags' in command ? command.flags : {};
  const environment = Object.fromEntries(texts.map(([name, text]) => [variableName(name), text]));
  // Otherwise each has a key of its own.
  const key = { DRAINSHIFT_CAPTURE_KEY: 'a key of sixteen or more' };
  const [one, two, three] = [
    read({ flags: { ...flags, upstream, ...both }, environment: key }),
    read({ environment: { ...environment, ...key }, flags: { upstream, ...both } }),
    read({ file: { upstream, ...both, ...Object.fromEntries(inFile) }, environment: key }),
  ];
  expect(two).toEqual(one);
  expect(three).toEqual(one);
});

test('the data plane has each timeout and limit under a name of its own', () => {
  expect(Object.keys(completeTimeouts()).sort()).toEqual(TIMEOUTS.map(timeoutName).sort());
  expect(Object.keys(completeLimits()).sort()).toEqual(LIMITS.map(limitName).sort());
  expect(timeoutName('client_idle_seconds')).toBe('clientIdleMs');
  expect(limitName('head_bytes_per_second')).toBe('headBytesPerSecond');
  expect(completeTimeouts({ upstreamIdleMs: 7 })).toMatchObject({ firstByteMs: 7, headMs: 15_000 });
  expect(completeTimeouts({ upstreamIdleMs: 7, firstByteMs: 9 }).firstByteMs).toBe(9);
});

test('variables, flags, usage and schema have every setting; a secret is a variable alone', () => {
  expect(variableName('client_idle_seconds')).toBe('DRAINSHIFT_CLIENT_IDLE_SECONDS');
  expect(PROXY_VARIABLES.filter((name) => !(SETTINGS as string[]).includes(name))).toEqual([
    'admin_secret',
    'capture_password',
    'capture_key',
    'session_store_password',
  ]);
  const usage = formatSettingsUsage();
  const flags = listSettingFlags().map(({ flag }) => flag);
  for (const name of SETTINGS) expect([usage, flags]).toEqual([expect.stringContaining(`  ${flagName(name)} `), flags]);
  expect(flags).toHaveLength(SETTINGS.length);
  const { properties } = buildSettingsSchema('x') as { properties: Record<string, { default?: unknown }> };
  expect(Object.keys(properties).sort()).toEqual(['$schema', ...SETTINGS].sort());
  expect(properties.first_byte_seconds?.default).toBeUndefined();
  expect(properties).toMatchObject({
    access_log: { enum: ['off', 'errors', 'on', true, false] },
    grace_period_seconds: { anyOf: [{ minimum: 0 }, { enum: ['short-lived', 'mixed', 'websocket-heavy'] }] },
    service_name: { type: ['string', 'number'] },
  });
});

test('the file may name its schema, for an editor', () => {
  expect(read({ file: { $schema: './proxy.json', upstream } }).side).toBe('source');
});
