import { writeFileSync } from 'node:fs';
import path from 'node:path';
import { PutSecretValueCommand, UpdateSecretVersionStageCommand } from '@aws-sdk/client-secrets-manager';
import { ADMIN_HEADERS, adminResponseToSign } from '../../../core/proxy/admin-api';
import { AdminKeys, readSettled } from '../../../proxy/admin-keys/admin-keys';
import { SignatureCheck, sign } from '../../../proxy/admin/signature';
import { readSecretVersions } from '../../../proxy/admin-keys/secret-versions';
import { ARNS, LocalCloud, startLocalCloud } from '../../rehearsal/aws/world';
import { FakeClock } from '../support/fake-clock';
import { ProxyBundle, bundleProxy, listening, logged } from '../support/proxy-process';
import { AdminCall, SECRET as OLD, adminHeaders, callAdmin } from '../support/proxy-world';
import { get, later, stopAll, until } from '../support/world';

const [NEW, NEWER, STRANGER] = ['the-new-key-of-a-test', 'the-newer-key-of-a-test', 'the-key-of-a-stranger'];
const look = { path: '/drain-status' } as const;

let bundle: ProxyBundle;
beforeAll(() => (bundle = bundleProxy()));
afterEach(stopAll);
afterAll(() => bundle.remove());

const ARGS = ['--listen', '127.0.0.1:0', '--admin', '127.0.0.1:0', '--upstream', 'http://127.0.0.1:1'];

async function statusWith(port: number, secret: string, call: Partial<AdminCall> = {}): Promise<number> {
  return (await callAdmin(port, { ...look, secret, ...call })).status;
}

/** Whether a call is let in under this key, and its response is signed with the same one. */
async function isTaken(port: number, secret: string): Promise<boolean> {
  const headers = adminHeaders(port, { ...look, secret });
  const got = await get({ port, path: look.path, headers });
  if (got.status === 401) return false;
  const text = adminResponseToSign(String(headers[ADMIN_HEADERS.signature]), got.status, got.body);
  expect(got.headers[ADMIN_HEADERS.signature]).toBe(sign(secret, text));
  return true;
}

function untilTaken(port: number, secret: string): Promise<void> {
  return until(() => isTaken(port, secret));
}

describe('a process with two keys', () => {
  test.each([['1'], ['2']])('in its file takes both, no other, no call twice; %s worker(s)', async (workers) => {
    const file = path.join(bundle.folder, `keys-${workers}`);
    writeFileSync(file, `${NEW}\n${OLD}\n`);
    const proxy = bundle.run([...ARGS, '--admin-secret-file', file, '--workers', workers]);
    const { admin } = await listening(proxy);
    for (const key of [NEW, OLD]) expect(await isTaken(admin, key)).toBe(true);
    // A nonce is used up, whichever key its call was signed with.
    const nonce = 'a-nonce-of-both-keys';
    expect(await statusWith(admin, NEW, { nonce })).toBe(200);
    expect(await statusWith(admin, OLD, { nonce })).toBe(401);
    expect(await statusWith(admin, NEW, { nonce })).toBe(401);

    // The file changes under it, as a mounted secret does.
    writeFileSync(file, `${NEWER}\n${NEW}\n`);
    await untilTaken(admin, NEWER);
    expect(await isTaken(admin, NEW)).toBe(true);
    for (const key of [OLD, STRANGER]) expect(await isTaken(admin, key)).toBe(false);
    expect(await statusWith(admin, NEWER, { nonce })).toBe(401);
    expect(proxy.lines.map(({ msg }) => msg)).toContain('Admin keys changed: 2 are accepted');
    expect(JSON.stringify(proxy.lines)).not.toContain(NEWER);
  });
});

describe('a task of ECS, which was given the secret at its start', () => {
  async function startTask(changes: Record<string, string> = {}) {
    const cloud = await startLocalCloud();
    later(() => cloud.stop());
    cloud.secrets.put({ arn: ARNS.secret, name: 'admin' }, OLD);
    const proxy = bundle.run(ARGS, {
      DRAINSHIFT_ADMIN_SECRET_ARN: ARNS.secret,
      AWS_ENDPOINT_URL: cloud.url,
      AWS_ACCESS_KEY_ID: 'TaskRole',
      AWS_SECRET_ACCESS_KEY: 'none',
      ...changes,
    });
    return { cloud, proxy, admin: (await listening(proxy)).admin };
  }

  const rotate = (cloud: LocalCloud, SecretString: string) =>
    cloud.sm.send(new PutSecretValueCommand({ SecretId: ARNS.secret, SecretString }));

  test('knows it alone, then hears of a rotation, and knows both: nothing is restarted', async () => {
    const { cloud, admin, proxy } = await startTask();
    expect(await isTaken(admin, OLD)).toBe(true);
    await rotate(cloud, NEW);
    // The first call under a key that it does not know is what makes it look.
    expect(await isTaken(admin, NEW)).toBe(false);
    await untilTaken(admin, NEW);
    expect(await isTaken(admin, OLD)).toBe(true);
    expect(await isTaken(admin, STRANGER)).toBe(false);
    const reads = cloud.calls.filter(({ action }) => action === 'GetSecretValue');
    expect(reads.map(({ principal }) => principal)).toEqual(['TaskRole', 'TaskRole']);
    expect(proxy.child.exitCode).toBeNull();
  });

  test('goes on with what it knows where Secrets Manager is away', async () => {
    const { admin, proxy } = await startTask({ AWS_ENDPOINT_URL: 'http://127.0.0.1:1' });
    expect(await isTaken(admin, NEW)).toBe(false);
    await logged(proxy, /^Admin keys were not read again/);
    expect(await isTaken(admin, OLD)).toBe(true);
    expect(await isTaken(admin, NEW)).toBe(false);
  });
});

describe('the keys of a process', () => {
  function watched(first: readonly string[] = [OLD]) {
    const clock = new FakeClock();
    const lines: string[] = [];
    const kept = { keys: first as readonly string[] | Error, reads: 0 };
    const say = (message: string) => void lines.push(message);
    const keys = new AdminKeys(first, {
      read: () => {
        kept.reads += 1;
        return kept.keys instanceof Error ? Promise.reject(kept.keys) : Promise.resolve(kept.keys);
      },
      clock,
      log: { info: say, warn: say },
    });
    later(() => keys.stop());
    const pass = async (ms: number) => {
      clock.advance(ms / 1000);
      // What was read, and what follows from it.
      for (let turn = 0; turn < 8; turn += 1) await Promise.resolve();
    };
    return { lines, kept, keys, pass };
  }

  test('are read every five minutes, the first time at a random one within them', async () => {
    const { keys, kept, pass } = watched();
    keys.start();
    // The chance of this clock is none.
    await pass(0);
    expect(kept.reads).toBe(1);
    kept.keys = [NEW, OLD];
    await pass(299_999);
    expect(keys.all).toEqual([OLD]);
    await pass(1);
    expect(keys.all).toEqual([NEW, OLD]);
    // The old one was revoked.
    kept.keys = [NEW];
    await pass(300_000);
    expect(keys.all).toEqual([NEW]);
  });

  test('are not read by every stranger who calls', async () => {
    const { keys, kept, pass } = watched();
    const check = new SignatureCheck(keys, 'one');
    const call = () => {
      const headers = adminHeaders(9901, { ...look, secret: STRANGER }) as Record<string, string>;
      return check.check({ method: 'GET', path: look.path, headers, body: '', at: '127.0.0.1:9901' }, Date.now());
    };
    for (let count = 0; count < 100; count += 1) expect(call()).toHaveProperty('rejection');
    await pass(9_999);
    call();
    expect(kept.reads).toBe(1);
    await pass(1);
    call();
    expect(kept.reads).toBe(2);
  });

  test.each([
    [[], 'There must be one key or two, got 0'],
    [[NEW, OLD, NEWER], 'There must be one key or two, got 3'],
    [['short', ''], 'A key must be at least 16 characters long, got 5 characters'],
    [new Error('AccessDenied'), 'AccessDenied'],
  ])('stay where what is read is none: %p', async (read, reason) => {
    const { keys, kept, pass, lines } = watched([NEW, OLD]);
    keys.start();
    kept.keys = read;
    await pass(0);
    await pass(300_000);
    expect(kept.reads).toBe(2);
    expect(keys.all).toEqual([NEW, OLD]);
    expect(lines).toEqual([`Admin keys were not read again, those known before stay: ${reason}`]);
  });

  test.each([[[NEWER, 'short']], [['short', NEWER]]])(
    'are changed without one that is too short, which does not lock out the other: %p',
    async (read) => {
      const { keys, kept, pass, lines } = watched([NEW, OLD]);
      keys.start();
      kept.keys = read;
      await pass(0);
      await pass(300_000);
      expect(keys.all).toEqual([NEWER]);
      const told = 'One of two admin keys is left out: A key must be at least 16 characters long, got 5 characters';
      expect(lines).toEqual([told, 'Admin keys changed: 1 is accepted']);
    },
  );

  test('of a file that is being written are not taken before it is whole', async () => {
    const texts = [`${NEW.slice(0, -1)}`, `${NEW}\n${OLD.slice(0, 16)}`, `${NEW}\n${OLD}\n`, `${NEW}\n${OLD}\n`];
    const waits: number[] = [];
    const read = () => Promise.resolve(texts.shift() ?? String(texts.length + waits.length));
    const wait = (ms: number) => Promise.resolve(waits.push(ms));
    const { signal } = new AbortController();
    expect(await readSettled(read, signal, wait)).toBe(`${NEW}\n${OLD}\n`);
    expect(waits).toEqual([1000, 1000, 1000]);
    await expect(readSettled(read, signal, wait)).rejects.toThrow(
      'The file must stay the same for 1 second, got another text in each of 10 reads',
    );
  });

  test('are read no more once the process ends', async () => {
    const { keys, kept, pass } = watched();
    keys.start();
    keys.stop();
    await pass(600_000);
    expect(kept.reads).toBe(0);
  });
});

test('a revoked key is not read any more', async () => {
  const cloud = await startLocalCloud();
  later(() => cloud.stop());
  const { VersionId: first } = await cloud.sm.send(new PutSecretValueCommand({ SecretId: 'admin', SecretString: OLD }));
  await cloud.sm.send(new PutSecretValueCommand({ SecretId: 'admin', SecretString: NEW }));
  const before = { ...process.env };
  Object.assign(process.env, { AWS_ENDPOINT_URL: cloud.url, AWS_ACCESS_KEY_ID: 'A', AWS_SECRET_ACCESS_KEY: 'b' });
  later(() => void (process.env = before));
  const read = () => readSecretVersions(ARNS.secret, new AbortController().signal);
  expect(await read()).toEqual([NEW, OLD]);
  const revoke = { SecretId: 'admin', VersionStage: 'AWSPREVIOUS', RemoveFromVersionId: first };
  await cloud.sm.send(new UpdateSecretVersionStageCommand(revoke));
  expect(await read()).toEqual([NEW]);
});
