import { begin } from '../../../../core/cutover/run';
import { parsePlan } from '../../../../core/plan/plan';
import { lockPort } from '../../../../lambda/adapters/store/lock';
import { storePort } from '../../../../lambda/adapters/store/store';
import { AwsError } from '../../../../rehearsal/errors/aws-error';
import { LocalCloud, startLocalCloud } from '../../../rehearsal/aws/world';
import { callEndpoint } from '../world';

let cloud: LocalCloud;
/** The action that is rejected. */
let denied: string | undefined;
/** What happens once between the look at the lock and its deletion. */
let onDelete: (() => void) | undefined;
let warnings: string[];
beforeEach(async () => {
  [denied, warnings] = [undefined, []];
  onDelete = undefined;
  const authorize = ({ action }: { action: string }) => {
    if (action === 's3:DeleteObject') {
      onDelete?.();
      onDelete = undefined;
    }
    if (action === denied) throw new AwsError('AccessDenied', 'not you', 403);
  };
  cloud = await startLocalCloud({ authorize });
  callEndpoint(cloud.url);
});
afterEach(() => cloud.stop());

const lock = (seconds = 300, signal?: AbortSignal) =>
  lockPort('store', { seconds, warn: (message) => void warnings.push(message), signal });
const holder = async () => (await storePort('store').holder())?.execution;
const run = (execution: string) => begin(execution, '2026-01-01T00:00:00.000Z', parsePlan({}));

test('is held during the work alone, and has an end', async () => {
  const beforeMs = Date.now();
  const done = await lock().holding('manual-1', async () => {
    const held = (await lock().heldByAnother('manual-2')) as { execution: string; expiresAt: string };
    expect(held.execution).toBe('manual-1');
    expect(Date.parse(held.expiresAt)).toBeGreaterThanOrEqual(beforeMs + 299_000);
    expect(Date.parse(held.expiresAt)).toBeLessThanOrEqual(Date.now() + 300_000);
    await expect(storePort('store').acquire(run('move-1'))).rejects.toThrow(/'manual-1'.*ends by itself at/);
    return 7;
  });
  expect([done, await holder()]).toEqual([7, undefined]);
});

test('a cutover takes over one that has ended, and its old holder sees it before it changes anything', async () => {
  await lock(0).holding('manual-1', async ({ check }) => {
    expect(await lock().heldByAnother('manual-2')).toBeUndefined();
    await expect(check()).rejects.toMatchObject({ code: 'LockLost' });
    await storePort('store').acquire(run('move-1'));
    await expect(check()).rejects.toThrow(/held by 'move-1'/);
  });
  expect(await holder()).toBe('move-1');
});

test('of two who take over one that has ended only one gets it', async () => {
  await storePort('store').acquire(Object.assign(run('manual-1'), { expiresAt: '2026-01-01T00:00:00.000Z' }));
  const taken = await Promise.allSettled(['a', 'b'].map((name) => storePort('store').acquire(run(name))));
  expect(taken.map(({ status }) => status).sort()).toEqual(['fulfilled', 'rejected']);
});

test('lasts as long as it was meant to, however wrong the clock of the one who wrote it', async () => {
  for (const year of ['2020', '2099']) {
    const slow = begin('manual-1', `${year}-01-01T00:00:00.000Z`, parsePlan({}));
    await storePort('store').acquire(Object.assign(slow, { expiresAt: `${year}-01-01T00:05:00.000Z` }));
    const held = await lock().heldByAnother('manual-2');
    expect(held?.execution).toBe('manual-1');
    expect(Date.parse(held?.expiresAt ?? '') - Date.now()).toBeLessThanOrEqual(300_000);
    await storePort('store').release('manual-1');
  }
});

test('nothing is begun in its last seconds', async () => {
  await lock(14).holding('manual-1', async ({ check }) => {
    await expect(check()).rejects.toMatchObject({ code: 'LockLost' });
  });
});

test('one that someone has overwritten by hand is not taken for a free one, and says what it is', async () => {
  cloud.objects.put('store', 'lock.json', Buffer.from('oops'));
  await expect(lock().heldByAnother('manual-1')).rejects.toThrow(
    `'lock.json' in the store must be as drainshift wrote it, got "oops"`,
  );
});

test('the lock of a cutover is never taken over', async () => {
  await storePort('store').acquire(run('move-1'));
  await expect(lock().holding('manual-1', async () => 1)).rejects.toMatchObject({ code: 'LockHeld' });
  expect(await holder()).toBe('move-1');
});

test('the one who holds it still may go on', async () => {
  await lock().holding('manual-1', ({ check }) => check());
});

test('one whose response was lost is given back', async () => {
  const real = cloud.objects.put.bind(cloud.objects);
  cloud.objects.put = (...written) => {
    real(...written);
    cloud.objects.put = real;
    throw new AwsError('AccessDenied', 'lost', 403);
  };
  await expect(lock().holding('manual-1', async () => 1)).rejects.toThrow('lost');
  expect(await holder()).toBeUndefined();
});

test('one that is written again just as it is given back does not stay', async () => {
  await storePort('store').acquire(run('move-1'));
  onDelete = () => cloud.objects.put('store', 'lock.json', Buffer.from(JSON.stringify({ ...run('move-1'), more: 1 })));
  await storePort('store').release('move-1');
  expect(await holder()).toBeUndefined();
});

test('one that cannot be given back is reported, and what was done counts', async () => {
  denied = 's3:DeleteObject';
  expect(await lock().holding('manual-1', async () => 7)).toBe(7);
  expect(warnings).toEqual([
    expect.stringMatching(
      /^the lock 'manual-1' in 'store' must be given back, got S3 must respond to DeleteObject, got 403 AccessDenied: not you; it ends by itself at 2/,
    ),
  ]);
});

test('when the work fails too, both are reported', async () => {
  denied = 's3:DeleteObject';
  const work = lock().holding('manual-1', async () => Promise.reject(new Error('no weights')));
  await expect(work).rejects.toThrow(
    /^no weights; and the lock 'manual-1' in 'store' must be given back, got S3 must respond to DeleteObject, got 403 AccessDenied: not you/,
  );
});

test('after the signal no call begins, and the lock is still given back', async () => {
  const stop = new AbortController();
  const work = lock(300, stop.signal).holding('deploy-1', async ({ check }) => {
    stop.abort();
    await check();
  });
  await expect(work).rejects.toThrow(/abort/i);
  expect(await holder()).toBeUndefined();
});
