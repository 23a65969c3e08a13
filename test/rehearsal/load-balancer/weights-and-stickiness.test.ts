import { Fixture, cookiesOf, forward } from './fixture';

let world: Fixture;
beforeEach(async () => (world = await new Fixture().start()));
afterEach(() => world.stop());

async function bothSides(): Promise<void> {
  await world.target('source', 'source');
  await world.target('target', 'target');
  await Promise.all([world.healthy('source', 1), world.healthy('target', 1)]);
}

async function answers(count: number, headers = {}): Promise<Record<string, number>> {
  const seen: Record<string, number> = {};
  for (let i = 0; i < count; i += 1) {
    const { body } = await world.get('/', headers);
    seen[body] = (seen[body] ?? 0) + 1;
  }
  return seen;
}

test('weights are applied to each request, and a change to the very next one', async () => {
  await bothSides();
  expect(await answers(20)).toEqual({ source: 20 });
  world.setAction(
    forward([
      ['source', 0],
      ['target', 100],
    ]),
  );
  expect(await answers(20)).toEqual({ target: 20 });
  world.setAction(
    forward([
      ['source', 50],
      ['target', 50],
    ]),
  );
  const both = await answers(100);
  expect(both.source).toBeGreaterThan(25);
  expect(both.target).toBeGreaterThan(25);
});

test('a client with a cookie of group stickiness stays on its group, at weight 0 too', async () => {
  await bothSides();
  world.setAction(
    forward(
      [
        ['source', 100],
        ['target', 0],
      ],
      3600,
    ),
  );
  const first = cookiesOf(await world.get());
  expect(Object.keys(first).sort()).toEqual(['AWSALBTG', 'AWSALBTGCORS']);
  world.setAction(
    forward(
      [
        ['source', 0],
        ['target', 100],
      ],
      3600,
    ),
  );
  expect(await answers(5, { cookie: `AWSALBTG=${first.AWSALBTG}` })).toEqual({ source: 5 });
  expect(await answers(5)).toEqual({ target: 5 });
});

test('a group that the action does not name is left at once, whatever the cookie says', async () => {
  await bothSides();
  world.setAction(
    forward(
      [
        ['source', 100],
        ['target', 0],
      ],
      3600,
    ),
  );
  const { AWSALBTG } = cookiesOf(await world.get());
  world.setAction(forward([['target', 100]], 3600));
  expect(await answers(5, { cookie: `AWSALBTG=${AWSALBTG}` })).toEqual({ target: 5 });
});

test('lb_cookie: a client stays on its target, and goes to another one when that is gone', async () => {
  world.model.targetGroup('source').attributes.set('stickiness.enabled', 'true');
  world.setAction(forward([['source', 1]], 3600));
  const first = await world.target('source', 'one');
  await world.target('source', 'two');
  await world.healthy('source', 2);
  let answer = await world.get();
  while (answer.body !== 'one') answer = await world.get();
  const { AWSALB, AWSALBCORS } = cookiesOf(answer);
  expect(await answers(6, { cookie: `AWSALB=${AWSALB}` })).toEqual({ one: 6 });
  expect(answer.headers['set-cookie']?.find((cookie) => cookie.startsWith('AWSALBCORS='))).toMatch(
    /SameSite=None; Secure$/,
  );
  world.server.targets.deregister('source', [first]);
  const moved = await world.get('/', { cookie: `AWSALB=${AWSALB}; AWSALBCORS=${AWSALBCORS}` });
  expect(moved.body).toBe('two');
  expect(cookiesOf(moved).AWSALB).not.toBe(AWSALB);
});

test('AWSALBCORS goes before AWSALB, and a cookie that cannot be read is as good as none', async () => {
  world.model.targetGroup('source').attributes.set('stickiness.enabled', 'true');
  world.setAction(forward([['source', 1]], 3600));
  await world.target('source', 'one');
  await world.target('source', 'two');
  await world.healthy('source', 2);
  const jars: Record<string, Record<string, string>> = {};
  while (!jars.one || !jars.two) {
    const answer = await world.get();
    jars[answer.body] = cookiesOf(answer);
  }
  const cookie = `AWSALB=${jars.one.AWSALB}; AWSALBCORS=${jars.two.AWSALBCORS}`;
  expect(await answers(4, { cookie })).toEqual({ two: 4 });
  expect((await world.get('/', { cookie: 'AWSALB=%%%; AWSALBTG=nonsense' })).status).toBe(200);
});

test('a group without healthy targets does not fail over to the other group', async () => {
  await world.target('target', 'target');
  await world.healthy('target', 1);
  expect((await world.get()).status).toBe(503);
});
