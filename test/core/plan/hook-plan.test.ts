import { describePlan } from '../../../core/plan/explain';
import { checkFloor, PLAN_PARTS } from '../../../core/plan/plan-floor';
import { Plan, parsePlan } from '../../../core/plan/plan';
import { Problems } from '../../../core/validation/problems';

const ARN = 'arn:aws:lambda:eu-central-1:111122223333:function:freeze';
const HTTP = { freeze: '/freeze', transfer: '/copy', verify: '/digest', thaw: '/thaw' };

function read(hook: unknown, more: object = {}): Plan {
  return parsePlan({ strategy: 'drainThenShift', switch: { pointOfNoReturn: 'shared', hook, ...more } });
}

test('a function or paths, each with limits of their own', () => {
  expect(read(undefined).switch?.hook).toBeUndefined();
  expect(read({ functionArn: ARN }).switch?.hook).toEqual({
    functionArn: ARN,
    http: undefined,
    probeWrite: undefined,
    timeoutMs: { freeze: 1_000, probeWrite: 500, transfer: 1_000, verify: 1_000, thaw: 1_000 },
  });
  const hook = { http: HTTP, probeWrite: { path: '/probe' }, timeoutMs: { transfer: 2_000 } };
  expect(read(hook).switch?.hook).toMatchObject({ http: HTTP, probeWrite: { method: 'POST', path: '/probe' } });
});

test.each([`${ARN}:live`, `${ARN}:$LATEST`, ARN.replace('arn:aws', 'arn:aws-us-gov')])(
  '%s is a function',
  (functionArn) => {
    expect(read({ functionArn }).switch?.hook?.functionArn).toBe(functionArn);
  },
);

test.each<[string, unknown, string]>([
  ['null', null, "'switch.hook' must be an object, got null"],
  ['a text', 'freeze', '\'switch.hook\' must be an object, got "freeze"'],
  ['a URL as its only path', { http: { freeze: 'http://a/' } }, "'switch.hook.http.freeze' must be a path"],
  [
    'no number as a limit',
    { http: HTTP, timeoutMs: { freeze: Infinity } },
    "'switch.hook.timeoutMs.freeze' must be an integer from 50 to 25000, got Infinity",
  ],
])('%s is one problem, and not a second one of the rules between its parts', (_, hook, problem) => {
  const message = (() => {
    try {
      read(hook);
      return '';
    } catch (error) {
      return (error as Error).message;
    }
  })();
  expect(message.split('\n')).toEqual([expect.stringContaining(problem)]);
});

const REJECTED: readonly (readonly [name: string, hook: unknown, problem: string, more?: object])[] = [
  ['nothing', {}, "'switch.hook' must be one with either functionArn or http, got nothing"],
  ['both', { functionArn: ARN, http: HTTP }, '\'switch.hook\' must be one with either functionArn or http, got "both"'],
  ['a text', 'freeze', '\'switch.hook\' must be an object, got "freeze"'],
  [
    'an unknown part',
    { http: { ...HTTP, melt: '/melt' } },
    '\'switch.hook.http.melt\' must be one of freeze, transfer, verify, thaw, got "melt"',
  ],
  ['no path at all', { http: {} }, "'switch.hook.http' must be an object with a path of freeze, transfer or verify"],
  [
    'a freeze that nothing thaws',
    { http: { freeze: '/freeze' } },
    "'switch.hook.http.thaw' must be given with a freeze, got nothing",
  ],
  [
    'a thaw alone',
    { http: { thaw: '/thaw' } },
    "'switch.hook.http' must be an object with a path of freeze, transfer or verify",
  ],
  [
    'a probe write without a freeze',
    { http: { verify: '/digest' }, probeWrite: { path: '/probe' } },
    "'switch.hook.http.freeze' must be given with a probeWrite, got nothing",
  ],
  [
    'a probe write without a path',
    { http: HTTP, probeWrite: {} },
    "'switch.hook.probeWrite.path' must be a path that starts with '/'",
  ],
  [
    'a probe write that reads',
    { http: HTTP, probeWrite: { path: '/p', method: 'GET' } },
    '\'switch.hook.probeWrite.method\' must be one of POST, PUT, PATCH, DELETE, got "GET"',
  ],
  [
    'a path of another host',
    { http: { ...HTTP, freeze: 'http://x/' } },
    "'switch.hook.http.freeze' must be a path that starts with '/'",
  ],
  ['a name', { functionArn: 'freeze' }, "'switch.hook.functionArn' must be the ARN of a Lambda function"],
  [
    'another resource',
    { functionArn: 'arn:aws:sqs:eu-central-1:111122223333:freeze' },
    "'switch.hook.functionArn' must be the ARN of a Lambda function",
  ],
  [
    'a limit that is no time',
    { http: HTTP, timeoutMs: { freeze: 0 } },
    "'switch.hook.timeoutMs.freeze' must be an integer from 50 to 25000, got 0",
  ],
  [
    'a thaw that lasts',
    { http: HTTP, timeoutMs: { thaw: 3_001 } },
    "'switch.hook.timeoutMs.thaw' must be an integer from 50 to 3000, got 3001",
  ],
  [
    'limits over the pause',
    { functionArn: ARN },
    "'switch.hook.timeoutMs' must be at most 2000 ms ('switch.maxPauseMs') for freeze, transfer, verify together, got 3000",
    { maxPauseMs: 2_000 },
  ],
];

test.each(REJECTED.map(([name, ...given]) => ({ name, given })))(
  '$name is rejected',
  ({ given: [hook, problem, more] }) => {
    expect(() => read(hook, more)).toThrow(problem);
  },
);

test('what has no path needs no time', () => {
  expect(() => read({ http: { verify: '/digest' } }, { maxPauseMs: 1_000 })).not.toThrow();
});

test('the input of an execution cannot bring another hook', () => {
  const problems = new Problems();
  checkFloor(read({ functionArn: `${ARN}-of-someone` }), read({ functionArn: ARN }), PLAN_PARTS, problems);
  checkFloor(read(undefined), read({ functionArn: ARN }), PLAN_PARTS, problems);
  expect(problems.all).toEqual([
    expect.stringMatching(/^'switch.hook' must be as deployed: it is called with the rights of the cutover, got \{/),
    expect.stringMatching(/^'switch.hook' must be as deployed: .*, got nothing$/),
  ]);
});

test('it says in words what it calls', () => {
  expect(describePlan(read({ http: HTTP, probeWrite: { path: '/probe' } }))).toContain(
    'Before the decision the hook is called at the backends, by HTTP: freeze (1000 ms), probeWrite (500 ms), transfer (1000 ms), verify (1000 ms). After it the side that serves is thawed (1000 ms).',
  );
});
