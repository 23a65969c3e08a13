import { listProblems, read } from '../support/settings';

const upstream = 'http://a';

describe('metric lines', () => {
  test('none, unless they are asked for', () => {
    expect(read({ file: { upstream } }).metricsService).toBeUndefined();
    expect(read({ file: { upstream, emf: false, service_name: 'shop' } }).metricsService).toBeUndefined();
  });

  test.each([
    ['shop', 'shop'],
    ['042', '042'],
    ['true', 'true'],
  ])('with a name: %p', (given, name) => {
    const environment = { DRAINSHIFT_UPSTREAM: upstream, DRAINSHIFT_EMF: 'true', DRAINSHIFT_SERVICE_NAME: given };
    expect(read({ environment }).metricsService).toBe(name);
  });

  test.each([[undefined], [' '], ['ü'], ['x'.repeat(256)]])('the name must be one of CloudWatch: %p', (given) => {
    expect(listProblems({ file: { upstream, emf: true, service_name: given } })).toEqual([
      `'service_name' must be from 1 to 255 ASCII characters, not all blank, when 'emf' is on, got ${
        given === undefined ? 'nothing' : JSON.stringify(given)
      }`,
    ]);
  });

  test('emf is on or off', () => {
    expect(listProblems({ file: { upstream, emf: 'yes' } })).toEqual([`'emf' must be true or false, got "yes"`]);
  });
});

test('task protection is off, unless it is asked for', () => {
  expect(read({ file: { upstream } }).protectsTask).toBe(false);
  expect(read({ file: { upstream, task_protection: true } }).protectsTask).toBe(true);
  expect(listProblems({ file: { upstream, task_protection: 3 } })).toEqual([
    "'task_protection' must be true or false, got 3",
  ]);
});

describe('the session store', () => {
  const findStore = (file: object, environment = {}) => read({ file: { upstream, ...file }, environment }).sessionStore;

  test('none, unless it is given', () => {
    expect(findStore({})).toBeUndefined();
    expect(listProblems({ file: { upstream, session_store_user: 'u', session_store_required: true } })).toEqual([
      `'session_store_user' must be absent without 'session_store_url', got "u"`,
      "'session_store_required' must be absent without 'session_store_url', got true",
    ]);
  });

  test('with and without TLS, port, user and password', () => {
    expect(findStore({ session_store_url: 'rediss://cache.internal' })).toEqual({
      host: 'cache.internal',
      port: 6379,
      isTls: true,
      isRequired: false,
    });
    const password = { DRAINSHIFT_SESSION_STORE_PASSWORD: '0123' };
    expect(
      findStore({ session_store_url: 'redis://u%40x@[::1]:7000/', session_store_required: true }, password),
    ).toEqual({
      host: '::1',
      port: 7000,
      isTls: false,
      user: 'u@x',
      password: '0123',
      isRequired: true,
    });
    expect(findStore({ session_store_url: 'rediss://a@b', session_store_user: 7 })?.user).toBe('7');
  });

  test.each(['http://a', 'rediss://', 'nonsense', 'rediss://a/1', 'rediss://a?x=1', 'rediss://%ff@a', 3])(
    'what is no address of one: %p',
    (given) => {
      expect(listProblems({ file: { upstream, session_store_url: given } })).toHaveLength(1);
    },
  );

  test.each(['rediss://u:s3cret@a', 'rediss://:s3cret@a:x', 's3cret@a', 'rediss://a?password=s3cret', 'a#s3cret'])(
    'no problem shows a password: %p',
    (given) => {
      const [problem] = listProblems({ file: { upstream, session_store_url: given } });
      expect(problem).toMatch(/^'session_store_url' must be rediss:/);
      expect(problem).not.toContain('s3cret');
    },
  );
});
