import {
  adminAddress,
  adminRequestToSign,
  adminResponseToSign,
  findUsableKeys,
  readDrainOrder,
  readUndrainOrder,
} from '../../../core/proxy/admin-api';
import { Problems } from '../../../core/validation/problems';

test('everything of a call is signed, under a name of its own', () => {
  const call = { method: 'POST', path: '/drain', time: '7', nonce: 'n', address: 'a:1', identity: 'i', body: '{}' };
  expect(adminRequestToSign(call as Parameters<typeof adminRequestToSign>[0])).toBe(
    'drainshift-request\nPOST\n/drain\n7\nn\na:1\ni\n{}',
  );
  expect(adminResponseToSign('signature', 200, 'body')).toBe('drainshift-response\nsignature\n200\nbody');
});

test.each([
  ['10.0.0.1', '10.0.0.1:9300'],
  ['::ffff:10.0.0.1', '10.0.0.1:9300'],
  ['::FFFF:127.0.0.1', '127.0.0.1:9300'],
  ['::1', '[::1]:9300'],
  ['::ffff:abcd', '[::ffff:abcd]:9300'],
  ['1::ffff:10.0.0.1', '[1::ffff:10.0.0.1]:9300'],
])('the address of %s is %s, however the socket calls it', (host, address) => {
  expect(adminAddress(host, 9300)).toBe(address);
});

describe('keys to sign with', () => {
  const [long, other] = ['k'.repeat(16), 'o'.repeat(16)];
  test.each([
    [[long, other], { keys: [long, other] }],
    [[long, 'k'.repeat(15)], { keys: [long], short: 15 }],
    [['', long], { keys: [long], short: 0 }],
    [[], { keys: [] }],
  ])('of %j', (kept, usable) => {
    expect(findUsableKeys(kept)).toStrictEqual(usable);
  });

  test('a key that is too short and alone is not shown', () => {
    expect(() => findUsableKeys(['secret'])).toThrow(
      new Error('A key must be at least 16 characters long, got 6 characters'),
    );
  });
});

test('a drain order is read with its defaults, and its problems under its name', () => {
  const problems = new Problems();
  expect(readDrainOrder('order', { closeRatePerSecond: 7 }, problems)).toMatchObject({ closeRatePerSecond: 7 });
  expect(problems.all).toEqual([]);
  readDrainOrder('order', { jitter: 2 }, problems);
  expect(problems.all).toEqual(["'order.jitter' must be a number from 0 to 1, got 2"]);
});

test('a drain order says which connections are moved, or nothing of it', () => {
  const problems = new Problems();
  expect(readDrainOrder('', { moves: 'none' }, problems).moves).toBe('none');
  expect(readDrainOrder('', {}, problems)).not.toHaveProperty('moves');
  expect(problems.all).toEqual([]);
  readDrainOrder('', { moves: 'some' }, problems);
  expect(problems.all).toEqual(['\'moves\' must be one of none, resumable, all, got "some"']);
});

test('an order to undrain says which connections are moved back, or nothing of it', () => {
  const problems = new Problems();
  expect(readUndrainOrder('', { moves: 'none' }, problems)).toStrictEqual({ moves: 'none' });
  expect(readUndrainOrder('', {}, problems)).toStrictEqual({});
  expect(problems.all).toEqual([]);
  readUndrainOrder('', { moves: true, to: 'source' }, problems);
  expect(problems.all).toEqual([
    '\'to\' must be one of moves, got "to"',
    "'moves' must be one of none, resumable, all, got true",
  ]);
});
