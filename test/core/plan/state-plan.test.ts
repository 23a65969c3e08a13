import { describePlan } from '../../../core/plan/explain';
import { Plan, countLooks, parsePlan } from '../../../core/plan/plan';
import { findStateHook } from '../../../core/plan/state-plan';

const ARN = 'arn:aws:lambda:eu-central-1:111122223333:function:state';
const HTTP = { http: { path: '/internal/state' } };

function stores(url: string, more: object = {}) {
  return { valkey: { source: { url, ...more }, target: { url: 'redis://new.example' } } };
}

function replicas(more: object) {
  const { valkey } = stores('redis://old.example/0');
  return { valkey: { ...valkey, method: 'replicate', ...more } };
}

function hosts(source: string, target = 'i-0123456789abcdef1', more: object = {}) {
  const checkpoint = { documentName: 'Hosts', source: { instanceId: source }, target: { instanceId: target }, ...more };
  return { checkpoint };
}

function read(state: unknown, more: object = {}): Plan {
  return parsePlan({ strategy: 'drainThenShift', switch: { pointOfNoReturn: 'shared', state, ...more } });
}

test('a switch takes no state along unless its plan says so', () => {
  expect(read(undefined).switch?.state).toBeUndefined();
  expect(read(HTTP).switch?.state).toEqual({
    ...HTTP,
    ...{
      functionArn: undefined,
      valkey: undefined,
      checkpoint: undefined,
      probeWrite: undefined,
      prepareSeconds: 600,
      maxBytes: 10_737_418_240,
    },
    timeoutMs: { freeze: 1_000, probeWrite: 500, transfer: 1_000, verify: 1_000, thaw: 1_000 },
  });
  expect(read({ functionArn: ARN, prepareSeconds: '5m' }).switch?.state).toMatchObject({ prepareSeconds: 300 });
});

test.each<[string, unknown, string]>([
  [
    'nothing that carries it',
    {},
    "'switch.state' must be one with either functionArn, http, valkey or checkpoint, got nothing",
  ],
  [
    'two that carry it',
    { ...HTTP, functionArn: ARN },
    '\'switch.state\' must be one with either functionArn, http, valkey or checkpoint, got "functionArn and http"',
  ],
  ['a password in a plan', stores('redis://user:secret@old.example'), 'must be redis(s)://host[:port][/database]'],
  ['a store without a host', stores('redis://'), "'switch.state.valkey.source.url' must be redis(s)://"],
  ['one store for both', stores('redis://new.example/0'), "'switch.state.valkey.target.url' must be another store"],
  [
    'some of the keys of a server that replicates',
    replicas({ keys: 'app:*' }),
    "'switch.state.valkey.keys' must be absent with method 'replicate': all keys go along",
  ],
  [
    'a replica in another database',
    replicas({ target: { url: 'redis://new.example/1' } }),
    "'switch.state.valkey.target.url' must be of the same database as the source with method 'replicate'",
  ],
  ['another method', replicas({ method: 'move' }), "'switch.state.valkey.method' must be one of copy, replicate"],
  [
    'no secret',
    stores('redis://old.example', { secretArn: 'secret' }),
    "source.secretArn' must be the ARN of a secret",
  ],
  [
    'an authority without TLS',
    stores('redis://old.example', { caPem: '-----BEGIN CERTIFICATE-----\nMIIB\n' }),
    "'switch.state.valkey.source.caPem' must be given with rediss: or valkeys: alone",
  ],
  [
    'a write that would wait',
    { ...stores('redis://old.example'), probeWrite: { path: '/x' } },
    "'switch.state.probeWrite' must be absent with valkey",
  ],
  [
    'a task of Fargate',
    hosts('arn:aws:ecs:eu-central-1:111122223333:task/web/0123456789abcdef0123456789abcdef'),
    "'switch.state.checkpoint.source.instanceId' must be the id of an EC2 instance or a managed node of Systems Manager, i-… or mi-…: tasks of Fargate have no right to CAP_CHECKPOINT_RESTORE",
  ],
  [
    'a task of Fargate as the target',
    hosts('i-0123456789abcdef0', '0123456789abcdef0123456789abcdef'),
    "'switch.state.checkpoint.target.instanceId' must be the id of an EC2 instance",
  ],
  [
    'one host for both',
    hosts('mi-0123456789abcdef0', 'mi-0123456789abcdef0'),
    "'switch.state.checkpoint.target.instanceId' must be another instance than that of the source",
  ],
  [
    'no document',
    hosts('i-01234567', undefined, { documentName: undefined }),
    "'switch.state.checkpoint.documentName' must be the name of a document of Systems Manager",
  ],
  [
    'a document that a shell would read',
    hosts('i-01234567', undefined, { documentName: 'a;b' }),
    "'switch.state.checkpoint.documentName' must be the name of a document",
  ],
  [
    'no host',
    hosts('i-01234567', undefined, { source: {} }),
    "'switch.state.checkpoint.source.instanceId' must be the id of an EC2 instance",
  ],
  [
    'a comparison that is no path',
    hosts('i-01234567', undefined, { verifyPath: 'digest' }),
    "'switch.state.checkpoint.verifyPath' must be a path that starts with '/'",
  ],
  [
    'memory and a store',
    { ...hosts('i-01234567'), ...stores('redis://old.example') },
    'functionArn, http, valkey or checkpoint, got "valkey and checkpoint"',
  ],
  [
    'memory and a path',
    { ...hosts('i-01234567'), ...HTTP },
    'functionArn, http, valkey or checkpoint, got "http and checkpoint"',
  ],
  [
    'a write that would wait for memory',
    { ...hosts('i-01234567'), probeWrite: { path: '/x' } },
    "'switch.state.probeWrite' must be absent with checkpoint",
  ],
  [
    'limits of memory over the pause',
    { ...hosts('i-01234567'), timeoutMs: { freeze: 4_000 } },
    "must be at most 5000 ms ('switch.maxPauseMs') for freeze, transfer, verify together, got 6000",
  ],
  ['no path', { http: {} }, "'switch.state.http.path' must be a path"],
  ['a path with a query', { http: { path: '/s?x' } }, "'switch.state.http.path' must be a path without a '?'"],
  ['a copy without an end', { ...HTTP, prepareSeconds: 0 }, "'switch.state.prepareSeconds' must be"],
  ['nothing to copy', { ...HTTP, maxBytes: 0 }, "'switch.state.maxBytes' must be an integer from 1 to"],
  [
    'limits over the pause',
    { ...HTTP, timeoutMs: { transfer: 4_000 } },
    "'switch.state.timeoutMs' must be at most 5000 ms ('switch.maxPauseMs') for freeze, transfer, verify together, got 6000",
  ],
])('%s is a problem with a name', (_, state, message) => {
  expect(() => read(state)).toThrow(message);
});

test('hosts are instances or managed nodes, and nothing is called at backends but their digest', () => {
  const state = hosts('mi-0123456789abcdef0', 'i-01234567', { verifyPath: '/digest' });
  const of = read(state).switch!.state!;
  expect(of.checkpoint).toEqual(state.checkpoint);
  expect(findStateHook(of)).toMatchObject({ http: undefined, functionArn: undefined });
  expect(read(hosts('i-01234567')).switch?.state?.checkpoint).not.toHaveProperty('verifyPath', expect.anything());
});

test('beside a hook it is one too much', () => {
  const hook = { http: { verify: '/digest' } };
  expect(() => read(HTTP, { hook })).toThrow("'switch.state' must be absent where there is a 'switch.hook'");
});

test('it freezes and thaws as a hook does', () => {
  expect(findStateHook(read(HTTP).switch!.state!)).toMatchObject({
    http: { freeze: '/internal/state/freeze', thaw: '/internal/state/thaw', transfer: undefined, verify: undefined },
  });
});

test('the looks at its copy are in the history that Step Functions allows', () => {
  const looks = (plan: Plan) => countLooks(plan).switches;
  expect(looks(read(undefined))).toBe(3);
  expect(looks(read({ ...HTTP, prepareSeconds: 60 }))).toBe(3 * (1 + 4));
});

test('an explanation names the stores that are copied', () => {
  const text = describePlan(read(stores('rediss://old.example:6380/2')));
  expect(text).toContain(
    'the steps copy all keys from rediss://old.example:6380/2 to redis://new.example, up to 10 min',
  );
});

test('an explanation says that a store replicates', () => {
  expect(describePlan(read(replicas({})))).toContain(
    'redis://new.example replicates redis://old.example/0, and takes its place by FAILOVER, up to 10 min',
  );
});

test('an explanation names the hosts whose memory goes along', () => {
  const text = describePlan(read(hosts('i-01234567')));
  expect(text).toMatch(/i-01234567.*i-0123456789abcdef1/);
});

test('an explanation says what goes along, and when', () => {
  const text = describePlan(read(HTTP));
  expect(text).toContain('the proxies copy it from /internal/state of one backend to the other, up to 10 min');
  expect(text).toContain('In the hold: freeze (1000 ms), transfer (1000 ms), verify (1000 ms).');
});
