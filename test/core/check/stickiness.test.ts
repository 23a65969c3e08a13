import { Visit, formatShare, judgeStickiness, summarizeVisits } from '../../../core/check/stickiness';

const RULES = { minStayed: 1, minServers: 2, maxFailed: 0 };
/** The visits of clients: the server of each request, `-` without a name, `!` where it failed. */
function visits(...clients: readonly string[]): Visit[] {
  return clients.flatMap((servers, at) =>
    [...servers].map((server): Visit => {
      if (server === '!') return { client: at + 1, problem: 'HTTP status 502' };
      return server === '-' ? { client: at + 1 } : { client: at + 1, server };
    }),
  );
}
const judge = (all: Visit[], rules: Partial<typeof RULES> = {}, isStopped = false) =>
  judgeStickiness(summarizeVisits(all, []), { ...RULES, ...rules }, isStopped);

test('counts responses of servers, and names clients that changed', () => {
  expect(summarizeVisits(visits('aab', 'bbb', 'b!b', 'a-'), ['z', 'AWSALB', 'z'])).toEqual({
    clients: 4,
    requests: 11,
    failed: 1,
    unnamed: 1,
    servers: [
      { server: 'b', responses: 6, clients: 3 },
      { server: 'a', responses: 3, clients: 2 },
    ],
    stayed: 2,
    changed: [{ client: 1, servers: ['a', 'b'], changes: 1 }],
    unproven: 1,
    cookies: ['AWSALB', 'z'],
    problems: [{ problem: 'HTTP status 502', count: 1 }],
  });
});

test('clients that stay with two servers hold; one that changes breaks it', () => {
  expect(judge(visits('aa', 'bb')).verdict).toBe('held');
  expect(judge(visits('aa', 'bb', 'ab'))).toMatchObject({
    verdict: 'broken',
    broken: [{ name: 'stayed', rule: 'at least 100% of the clients', got: '66.6% (2 of 3)' }],
  });
  expect(judge(visits('aa', 'bb', 'ab'), { minStayed: 0.6 }).verdict).toBe('held');
});

test('a response that failed breaks it, however well the others stay', () => {
  expect(judge(visits('aa', 'bb!'))).toMatchObject({ verdict: 'broken', broken: [{ name: 'failed', got: '1' }] });
  expect(judge(visits('aa', 'bb!'), { maxFailed: 1 }).verdict).toBe('held');
});

test('where no client could be seen to change, stickiness is unknown', () => {
  expect(judge(visits('aa', 'aa')).unknown).toEqual([
    'only 1 of at least 2 servers responded, so that no client could change',
  ]);
  expect(judge(visits('aa', 'aa'), { minServers: 1 }).verdict).toBe('held');
  expect(judge(visits('aa', 'bb', '--')).verdict).toBe('unknown');
  expect(judge(visits('aa', 'bb', 'a')).unknown).toEqual([
    '1 of 3 clients got fewer than two responses that say the server',
  ]);
  expect(judge([]).unknown).toContain('there was no response');
  expect(judge(visits('aa', 'bb'), {}, true).verdict).toBe('unknown');
});

test('without cookies clients need not stay', () => {
  const figures = summarizeVisits(visits('ab', 'ba'), []);
  expect(judgeStickiness(figures, { minServers: 2, maxFailed: 0 }, false).verdict).toBe('held');
});

test('a share is rounded down', () => {
  expect([1, 0.9999, 0.29, 0].map(formatShare)).toEqual(['100%', '99.9%', '29%', '0%']);
});
