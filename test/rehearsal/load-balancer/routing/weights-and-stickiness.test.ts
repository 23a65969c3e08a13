import { replaceActions } from '../../../../rehearsal/load-balancer/model/rules';
import { until } from '../../../support/until';
import { Fixture, findCookies, forward } from '../fixture';

let cloud: Fixture;
beforeEach(async () => (cloud = await new Fixture().start()));
afterEach(() => cloud.stop());

async function bothSides(): Promise<void> {
  await cloud.target('source', 'source');
  await cloud.target('target', 'target');
  await Promise.all([cloud.healthy('source', 1), cloud.healthy('target', 1)]);
}

async function responds(count: number, headers = {}): Promise<Record<string, number>> {
  const seen: Record<string, number> = {};
  for (let i = 0; i < count; i += 1) {
    const { body } = await cloud.get('/', headers);
    seen[body] = (seen[body] ?? 0) + 1;
  }
  return seen;
}

test('weights are applied to each request, and a change to the very next one', async () => {
  await bothSides();
  expect(await responds(20)).toEqual({ source: 20 });
  cloud.setAction(
    forward([
      ['source', 0],
      ['target', 100],
    ]),
  );
  expect(await responds(20)).toEqual({ target: 20 });
  cloud.setAction(
    forward([
      ['source', 50],
      ['target', 50],
    ]),
  );
  const both = await responds(100);
  expect(both.source).toBeGreaterThan(25);
  expect(both.target).toBeGreaterThan(25);
});

test('what is written may come into force late, in part, or never; and the next write does', async () => {
  await bothSides();
  const { model } = cloud;
  const move = (source: number, target: number) => {
    const action = forward([
      ['source', source],
      ['target', target],
    ]);
    replaceActions(model, 'rule', [action]);
  };
  model.propagation = { at: 'routing', share: 1, ms: Infinity };
  move(0, 100);
  expect(await responds(10)).toEqual({ source: 10 });
  model.propagation = { at: 'routing', share: 0.5, ms: Infinity };
  move(100, 0);
  const both = await responds(60);
  expect([both.source, both.target]).toEqual([expect.any(Number), expect.any(Number)]);
  model.propagation = { at: 'routing', share: 1, ms: 20 };
  move(0, 100);
  await until(() => model.rule('rule').lag === undefined);
  expect(await responds(10)).toEqual({ target: 10 });
});

test('a client with a cookie of group stickiness stays on its group, at weight 0 too', async () => {
  await bothSides();
  cloud.setAction(
    forward(
      [
        ['source', 100],
        ['target', 0],
      ],
      3600,
    ),
  );
  const first = findCookies(await cloud.get());
  expect(Object.keys(first).sort()).toEqual(['AWSALBTG', 'AWSALBTGCORS']);
  cloud.setAction(
    forward(
      [
        ['source', 0],
        ['target', 100],
      ],
      3600,
    ),
  );
  expect(await responds(5, { cookie: `AWSALBTG=${first.AWSALBTG}` })).toEqual({ source: 5 });
  expect(await responds(5)).toEqual({ target: 5 });
});

test('a group that the action does not name is left at once, whatever the cookie says', async () => {
  await bothSides();
  cloud.setAction(
    forward(
      [
        ['source', 100],
        ['target', 0],
      ],
      3600,
    ),
  );
  const { AWSALBTG } = findCookies(await cloud.get());
  cloud.setAction(forward([['target', 100]], 3600));
  expect(await responds(5, { cookie: `AWSALBTG=${AWSALBTG}` })).toEqual({ target: 5 });
});

test('lb_cookie: a client stays on its target, and goes to another one when that is gone', async () => {
  cloud.model.targetGroup('source').attributes.set('stickiness.enabled', 'true');
  cloud.setAction(forward([['source', 1]], 3600));
  const first = await cloud.target('source', 'one');
  await cloud.target('source', 'two');
  await cloud.healthy('source', 2);
  let response = await cloud.get();
  while (response.body !== 'one') response = await cloud.get();
  const { AWSALB, AWSALBCORS } = findCookies(response);
  expect(await responds(6, { cookie: `AWSALB=${AWSALB}` })).toEqual({ one: 6 });
  expect(response.headers['set-cookie']?.find((cookie) => cookie.startsWith('AWSALBCORS='))).toMatch(
    /SameSite=None; Secure$/,
  );
  cloud.server.targets.deregister('source', [first]);
  const moved = await cloud.get('/', { cookie: `AWSALB=${AWSALB}; AWSALBCORS=${AWSALBCORS}` });
  expect(moved.body).toBe('two');
  expect(findCookies(moved).AWSALB).not.toBe(AWSALB);
});

test('AWSALBCORS goes before AWSALB, and a cookie that cannot be read is as good as none', async () => {
  cloud.model.targetGroup('source').attributes.set('stickiness.enabled', 'true');
  cloud.setAction(forward([['source', 1]], 3600));
  await cloud.target('source', 'one');
  await cloud.target('source', 'two');
  await cloud.healthy('source', 2);
  const jars: Record<string, Record<string, string>> = {};
  while (!jars.one || !jars.two) {
    const response = await cloud.get();
    jars[response.body] = findCookies(response);
  }
  const cookie = `AWSALB=${jars.one.AWSALB}; AWSALBCORS=${jars.two.AWSALBCORS}`;
  expect(await responds(4, { cookie })).toEqual({ two: 4 });
  expect((await cloud.get('/', { cookie: 'AWSALB=%%%; AWSALBTG=nonsense' })).status).toBe(200);
});

test('a group without healthy targets does not fail over to the other group', async () => {
  await cloud.target('target', 'target');
  await cloud.healthy('target', 1);
  expect((await cloud.get()).status).toBe(503);
});
