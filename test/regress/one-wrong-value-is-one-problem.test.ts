import { parsePlan } from '../../core/plan/plan';
import { parseScenario } from '../../core/scenario/scenario';

// What is wrong reads as its default, or as absent. Rules between it and other values were then held against that: a hook whose URL
// had a slip of the pen was told in a second line that it needs one.

const ARN = 'arn:aws:lambda:eu-central-1:123456789012:function:hook';
const GRADUAL = {
  stages: [
    { weights: { source: 80, target: 20 }, bakeSeconds: 60, maximumBakeSeconds: 80 },
    { weights: { source: 0, target: 1 }, bakeSeconds: 60 },
  ],
  initialWeights: { source: 100, target: 0 },
  smoke: [{ path: '/a' }],
  judge: { routes: [{ path: '/cart' }], errorBudget: 0.01 },
  windows: [{ days: ['mon'], from: '09:00', to: '17:00', zone: 'Europe/Berlin' }],
  rollbackPace: { steps: [10, 50], waitSeconds: 30 },
  approval: { beforeStages: [1], timeoutSeconds: 600 },
  stickiness: { policy: 'endAtStage', endAtStage: 1 },
  hooks: [
    { name: 'a', when: 'beforeShift', functionArn: ARN, timeoutSeconds: 5, waitSeconds: 30, onFailure: 'pause' },
    { name: 'b', when: 'afterComplete', url: 'http://x.example/y' },
    { name: 'c', when: 'afterBake', http: { side: 'to', path: '/x' } },
  ],
};
const HTTP = { freeze: '/f', transfer: '/t', verify: '/v', thaw: '/w' };
const SWITCH = {
  strategy: 'drainThenShift',
  stages: [{ weights: { source: 0, target: 1 } }],
  switch: {
    ...{ pointOfNoReturn: 'shared', maxPauseMs: 8_000 },
    hook: { http: HTTP, probeWrite: { method: 'POST', path: '/p' }, timeoutMs: { freeze: 1_000 } },
  },
};
const SCENARIO = {
  start: [
    { method: 'POST', path: '/login', form: { u: 'x' }, save: { token: { json: '/a/b' }, csrf: { header: 'x' } } },
  ],
  requests: [
    { path: '/${token}', expect: { status: 200, matches: 'a' } },
    { path: '/', json: { a: '${csrf}' } },
  ],
  journeys: [
    {
      steps: [
        { path: '/s', save: { cart: { cookie: 'c' } } },
        { path: '/t', body: 'a ${cart}' },
      ],
    },
  ],
  streams: [{ method: 'POST', path: '/st', json: {}, expect: { minEvents: 2, maxEvents: 9, last: { matches: 'x' } } }],
  webSockets: [{ path: '/w', opening: [{ send: { text: 'x' }, expect: { matches: 'y' } }] }],
};

type Replace = (part: unknown) => unknown;

/** Each part of it, with what makes a copy of the whole in which that part is another. */
function* listParts(part: unknown, name: string, replace: Replace): Generator<[name: string, replace: Replace]> {
  if (name !== '') yield [name, replace];
  if (typeof part !== 'object' || part === null) return;
  for (const [key, value] of Object.entries(part)) {
    const inside: Replace = (other) =>
      replace(Object.assign(Array.isArray(part) ? part.slice() : { ...part }, { [key]: other }));
    yield* listParts(value, `${name}.${key}`, inside);
  }
}

function listProblems(read: (value: unknown) => unknown, value: unknown): string[] {
  try {
    read(value);
    return [];
  } catch (error) {
    return (error as Error).message.split('\n');
  }
}

test.each([
  ['a gradual plan', parsePlan, GRADUAL],
  ['a switch', parsePlan, SWITCH],
  ['a switch with a function', parsePlan, { ...SWITCH, switch: { ...SWITCH.switch, hook: { functionArn: ARN } } }],
  ['a scenario', parseScenario, SCENARIO],
] as const)('%s: one wrong value is one problem', (_, read, whole) => {
  expect(listProblems(read, whole)).toEqual([]);
  const parts = [...listParts(whole, '', (value) => value)];
  const more = parts.flatMap(([name, replace]) =>
    [12.5, '?!', -1, null, true].flatMap((wrong) => {
      const problems = listProblems(read, replace(wrong));
      return problems.length > 1 ? [{ name, wrong, problems }] : [];
    }),
  );
  expect(parts.length).toBeGreaterThan(9);
  expect(more).toEqual([]);
});

test('what is not there is a problem still, also beside others', () => {
  const none = { name: 'a', when: 'beforeShift' };
  const both = { name: 'b', when: 'beforeShift', functionArn: ARN, url: 'http://x.example/' };
  const slip = { name: 'c', when: 'beforeShift', url: 'htp://x.example/' };
  expect(listProblems(parsePlan, { hooks: [none, both, slip] })).toEqual([
    '\'hooks[2].url\' must be a URL as https://checks.example.com/canary, without a name and a password, got "htp://x.example/"',
    "'hooks[0]' must be one with either functionArn, http or url, got nothing",
    '\'hooks[1]\' must be one with either functionArn, http or url, got "functionArn and url"',
  ]);
  expect(listProblems(parsePlan, { stages: [{}] })).toHaveLength(2);
});
