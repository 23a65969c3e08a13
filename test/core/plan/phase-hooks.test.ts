import { describePlan } from '../../../core/plan/explain';
import { checkFloor, PLAN_PARTS } from '../../../core/plan/plan-floor';
import { HOOK_TIMES, MAX_HOOKS, PHASES, findOnFailure } from '../../../core/plan/phase-hooks';
import { Plan, countLooks, parsePlan } from '../../../core/plan/plan';
import { Problems } from '../../../core/validation/problems';

const ARN = 'arn:aws:lambda:eu-central-1:111122223333:function:check';
const URL_HOOK = { name: 'page', when: 'afterRollback', url: 'https://status.example.com/hook' };
const FUNCTION_HOOK = { name: 'check', when: 'afterShift', functionArn: ARN };
const HTTP_HOOK = { name: 'self-test', when: 'beforeDrain', http: { path: '/self-test' } };

const read = (...hooks: unknown[]): Plan => parsePlan({ hooks });

test('a plan has none by default', () => {
  expect(parsePlan({}).hooks).toEqual([]);
});

test('each phase has a time before and after it', () => {
  const capitalize = (text: string) => text.charAt(0).toUpperCase() + text.slice(1);
  const times = PHASES.flatMap((phase) => [`before${capitalize(phase)}`, `after${capitalize(phase)}`]);
  expect(HOOK_TIMES).toEqual(times);
  for (const when of times) expect(read({ ...FUNCTION_HOOK, when }).hooks).toMatchObject([{ when }]);
});

test('a function, a backend or a URL, each with its defaults', () => {
  expect(read(FUNCTION_HOOK, HTTP_HOOK, URL_HOOK).hooks).toEqual([
    { ...FUNCTION_HOOK, timeoutSeconds: 10 },
    { ...HTTP_HOOK, http: { side: 'to', path: '/self-test' }, timeoutSeconds: 10 },
    { ...URL_HOOK, timeoutSeconds: 10 },
  ]);
});

test('a failure rolls back unless the plan says otherwise, and at the end it stops nothing', () => {
  const [check, page] = read(FUNCTION_HOOK, URL_HOOK).hooks;
  expect([findOnFailure(check!), findOnFailure(page!)]).toEqual(['rollBack', 'continue']);
  expect(findOnFailure(read({ ...FUNCTION_HOOK, onFailure: 'pause' }).hooks[0]!)).toBe('pause');
});

test.each<[string, readonly unknown[], string]>([
  ['without a name', [{ ...FUNCTION_HOOK, name: undefined }], "'hooks[0].name' must be a name of up to 40 letters"],
  ['with a name of two words', [{ ...FUNCTION_HOOK, name: 'a b' }], "'hooks[0].name' must be a name"],
  ['without a time', [{ ...FUNCTION_HOOK, when: undefined }], "'hooks[0].when' must be one of beforePreflight, "],
  ['at another time', [{ ...FUNCTION_HOOK, when: 'afterLunch' }], "'hooks[0].when' must be one of beforePreflight, "],
  [
    'of nothing',
    [{ name: 'a', when: 'afterBake' }],
    "'hooks[0]' must be one with either functionArn, http or url, got",
  ],
  [
    'of two',
    [{ ...FUNCTION_HOOK, url: 'https://a.example.com' }],
    '\'hooks[0]\' must be one with either functionArn, http or url, got "functionArn and url"',
  ],
  ['of no function', [{ ...FUNCTION_HOOK, functionArn: 'check' }], "'hooks[0].functionArn' must be the ARN"],
  ['of a URL as a path', [{ ...HTTP_HOOK, http: { path: 'https://a' } }], "'hooks[0].http.path' must be a path"],
  ['of a backend without a path', [{ ...HTTP_HOOK, http: {} }], "'hooks[0].http.path' must be a path"],
  ['of the source', [{ ...HTTP_HOOK, http: { path: '/', side: 'source' } }], "'hooks[0].http.side' must be one of to"],
  ['of another protocol', [{ ...URL_HOOK, url: 'ftp://a.example.com' }], "'hooks[0].url' must be a URL"],
  ['with a password', [{ ...URL_HOOK, url: 'https://ann:secret@a.example.com' }], "'hooks[0].url' must be a URL"],
  ['of a port that is none', [{ ...URL_HOOK, url: 'https://a.example.com:99999/' }], "'hooks[0].url' must be a URL"],
  [
    'with an endless limit',
    [{ ...URL_HOOK, timeoutSeconds: 21 }],
    "'hooks[0].timeoutSeconds' must be an integer from 1",
  ],
  ['with no time', [{ ...URL_HOOK, timeoutSeconds: 0 }], "'hooks[0].timeoutSeconds' must be an integer from 1 to 20"],
  ['that waits for two days', [{ ...HTTP_HOOK, waitSeconds: '48h' }], "'hooks[0].waitSeconds' must be from 0 to 86400"],
  ['that waits soon', [{ ...HTTP_HOOK, waitSeconds: 'soon' }], "'hooks[0].waitSeconds' must be from 0 to 86400"],
  [
    'that a rollback waits for',
    [{ ...URL_HOOK, waitSeconds: 1 }],
    "'hooks[0].waitSeconds' must be 0, because afterRollback waits for nothing, got 1",
  ],
  [
    'that waits so long at each stage that no one would look',
    [{ ...FUNCTION_HOOK, waitSeconds: '12h' }],
    "'hooks' must be hooks that may say not yet for at most 168000 s together ('waitSeconds', of a shift and a bake at each stage), so that both sides are looked at all the time, got \"172800 s\"",
  ],
  ['of one name twice', [FUNCTION_HOOK, { ...HTTP_HOOK, name: 'check' }], "'hooks[1].name' must be a name of its own"],
  [
    'that stops a rollback',
    [{ ...URL_HOOK, onFailure: 'pause' }],
    '\'hooks[0].onFailure\' must be continue, because afterRollback stops nothing, got "pause"',
  ],
  [
    'that rolls back what is verified',
    [{ ...URL_HOOK, when: 'afterComplete', onFailure: 'rollBack' }],
    "'hooks[0].onFailure' must be continue, because afterComplete stops nothing",
  ],
  [
    'too many',
    Array.from({ length: MAX_HOOKS + 1 }, () => FUNCTION_HOOK),
    "'hooks' must be a list of at most 20 hooks",
  ],
])('%s is rejected', (_, hooks, problem) => {
  expect(() => read(...hooks)).toThrow(problem);
});

test('who starts a cutover may neither change a hook nor leave one out', () => {
  const floor = read(FUNCTION_HOOK);
  for (const given of [read(), read({ ...FUNCTION_HOOK, onFailure: 'continue' }), read(FUNCTION_HOOK, URL_HOOK)]) {
    const problems = new Problems();
    checkFloor(given, floor, PLAN_PARTS, problems);
    expect(problems.all.join()).toMatch(/^'hooks' must be as deployed: they are called with the rights of the cutover/);
  }
  const same = new Problems();
  checkFloor(read(FUNCTION_HOOK), floor, PLAN_PARTS, same);
  expect(same.all).toEqual([]);
});

test('they take their part of the history: those of stages at each', () => {
  const { stages } = parsePlan({});
  const atOnce = (hook: object) => ({ ...hook, waitSeconds: 0 });
  expect(countLooks(read(atOnce(FUNCTION_HOOK), atOnce(HTTP_HOOK), URL_HOOK)).hooks).toBe(stages.length + 1);
  // Ten minutes at each stage, looked at every 15 s.
  expect(countLooks(read(FUNCTION_HOOK, URL_HOOK)).hooks).toBe(2 * stages.length + 160);
  expect(countLooks(read({ ...HTTP_HOOK, waitSeconds: '24h' })).hooks).toBe(2 + 200);
  const ofSwitch = parsePlan({
    strategy: 'drainThenShift',
    switch: { pointOfNoReturn: 'shared', attempts: 5 },
    hooks: [{ ...FUNCTION_HOOK, when: 'beforeShift', waitSeconds: 0 }],
  });
  expect(countLooks(ofSwitch).hooks).toBe(5);
});

test('a plan whose history has no room for their waits says that it is they', () => {
  const hooks = (count: number, more: object = {}) =>
    Array.from({ length: count }, (_, at) => ({ ...URL_HOOK, name: `a${at}`, when: 'beforeShift', ...more }));
  const many = { stages: 'linear(4, 6m)', pollSeconds: 60 };
  expect(() => parsePlan({ ...many, hooks: hooks(7) })).toThrow(
    `'hooks' must be of a 'waitSeconds' so short that polls of them fit into one history, got "105000 s in 175 calls"`,
  );
  expect(parsePlan({ ...many, hooks: hooks(7, { waitSeconds: 0 }) }).hooks).toHaveLength(7);
  const some = { stages: 'linear(5, 6m)', pollSeconds: 25 };
  expect(parsePlan({ ...some, hooks: hooks(12, { waitSeconds: 0 }) }).hooks).toHaveLength(12);
  expect(() => parsePlan({ ...some, hooks: hooks(12) })).toThrow(
    /^'pollSeconds' must be at least \d+ for bakes of up to 14400 s beside hooks that may say not yet for 144000 s in 240 calls, or its history /,
  );
});

test('are explained', () => {
  expect(describePlan(read(FUNCTION_HOOK, { ...HTTP_HOOK, onFailure: 'pause', waitSeconds: 30 }, URL_HOOK))).toContain(
    [
      'Hooks',
      `  afterShift: 'check' (${ARN}), up to 10 s, and up to 10 min while it says not yet. A failure rolls back.`,
      "  beforeDrain: 'self-test' (POST /self-test of the side 'to'), up to 10 s, and up to 30 s while it says not yet. After a failure a person is asked.",
      `  afterRollback: 'page' (POST ${URL_HOOK.url}), up to 10 s. A failure is noted, and it goes on.`,
      '',
    ].join('\n'),
  );
});
