import { PutSecretValueCommand, RotateSecretCommand } from '@aws-sdk/client-secrets-manager';
import { until } from '../../../support/until';
import { DEFAULT_DRAIN } from '../../../../core/proxy/admin-api';
import { proxiesPort } from '../../../../lambda/adapters/proxies/proxies';
import { handler } from '../../../../lambda/resources/rotation/handler';
import { RotationEvent } from '../../../../lambda/resources/rotation/rotate';
import { AdminKeys } from '../../../../proxy/admin-keys/admin-keys';
import { startAdminServer } from '../../../../proxy/admin/admin-server';
import type { EcsTask } from '../../../../rehearsal/tasks/model';
import { REPORT } from '../../../proxy/support/report';
import { later, stopAll } from '../../../proxy/support/world';
import { ARNS, LocalCloud, startLocalCloud } from '../../../rehearsal/aws/world';
import { cutoverConfig } from '../../../rehearsal/aws/deployed';
import { callEndpoint } from '../world';

const [OLD, NEW, NEWER] = ['the old key of a test', 'the new key of a test', 'the newer key of a test'];

let cloud: LocalCloud;
beforeEach(async () => {
  cloud = await startLocalCloud({ invoke: (_, event) => handler(event as RotationEvent) });
  cloud.secrets.put({ arn: ARNS.secret, name: 'admin' }, OLD, new Date(Date.now() - 3_600_000));
  callEndpoint(cloud.url);
});
afterEach(async () => {
  await stopAll();
  await cloud.stop();
});

/** Tasks of the source on addresses of their own, with the keys that each knows; and what they did, by address. */
async function startTasks(...known: (readonly string[])[]) {
  const acted: string[] = [];
  let port = 0;
  for (const [index, keys] of known.entries()) {
    const host = `127.0.7.${index + 1}`;
    const act = (what: string) => () => void acted.push(`${what} ${host}`);
    const server = await startAdminServer({ host, port }, new AdminKeys(keys), {
      identity: host,
      report: () => ({ ...REPORT, identity: host }),
      rejection: () => undefined,
      drain: act('drain'),
      undrain: act('undrain'),
      hold: act('hold'),
      release: act('release'),
      retarget: act('retarget'),
      window: () => Promise.reject(new Error('not asked')),
      probe: () => Promise.reject(new Error('not probed')),
      connections: () => ({ connections: [] }),
      transferState: () => Promise.reject(new Error('not called')),
      callBackend: () => Promise.reject(new Error('not called')),
      metrics: () => Promise.resolve({ contentType: 'text/plain', body: '' }),
    });
    later(() => server.close());
    port = server.address.port;
  }
  const [first] = [...cloud.ecsModel.tasks.values()].filter(({ serviceArn }) => serviceArn === ARNS.sourceService);
  for (const [arn, { serviceArn }] of cloud.ecsModel.tasks) {
    if (serviceArn === ARNS.sourceService) (cloud.ecsModel.tasks as Map<string, EcsTask>).delete(arn);
  }
  for (const [index] of known.entries()) {
    const arn = `${first!.arn.slice(0, -1)}${index}`;
    const task = { ...first!, arn, ip: `127.0.7.${index + 1}`, status: 'RUNNING', desiredStatus: 'RUNNING' } as EcsTask;
    (cloud.ecsModel.tasks as Map<string, EcsTask>).set(arn, task);
  }
  return { proxies: proxiesPort(cutoverConfig(port)), acted };
}

const put = (SecretString: string) => cloud.sm.send(new PutSecretValueCommand({ SecretId: ARNS.secret, SecretString }));

/** Whether each task was heard, in the order of their addresses. */
async function heard(proxies: ReturnType<typeof proxiesPort>): Promise<boolean[]> {
  const tasks = [...(await proxies.tasks('source'))].sort((a, b) => a.address.localeCompare(b.address));
  return tasks.map(({ report }) => report !== undefined);
}

/** Makes both ends of this process older. */
function pass(ms: number): void {
  const now = Date.now.bind(Date);
  jest.spyOn(Date, 'now').mockImplementation(() => now() + ms);
  later(() => void jest.restoreAllMocks());
}

test('in a rotation a step goes on with every task: with the old key, with the new one, with both', async () => {
  const { proxies, acted } = await startTasks([OLD], [NEW], [NEW, OLD], [OLD, 'a key that is older yet']);
  expect(await heard(proxies)).toEqual([true, false, true, true]);
  await put(NEW);
  // It had read the old one alone. A task that does not know it makes it read again, and not each call does.
  const reads = () => cloud.calls.filter(({ action }) => action === 'GetSecretValue').length;
  const before = reads();
  pass(5_000);
  expect(await heard(proxies)).toEqual([true, true, true, true]);
  expect(reads() - before).toBe(2);
  for (const address of [1, 2, 3, 4].map((last) => `127.0.7.${last}`)) {
    await proxies.drain(address, DEFAULT_DRAIN);
    await proxies.undrain(address, {});
  }
  // Once each: a call that was rejected under one key did nothing.
  expect(acted).toEqual([1, 2, 3, 4].flatMap((last) => [`drain 127.0.7.${last}`, `undrain 127.0.7.${last}`]));
  expect(reads() - before).toBe(2);
});

test('a task that knows none of the two keys is unknown, after one call under each', async () => {
  const { proxies } = await startTasks([NEWER]);
  await put(NEW);
  const [task] = await proxies.tasks('source');
  expect(task).toMatchObject({
    life: 'running',
    problem: expect.stringMatching(/must respond with 2xx, got 401/) as string,
  });
});

test('a key that could be guessed is used by no step, and does not lock out the other one', async () => {
  await put('short');
  const { proxies } = await startTasks([OLD], ['short'], ['short', OLD]);
  expect(await heard(proxies)).toEqual([true, false, true]);
});

test('with the one before away, the current one is enough; with both away, those that were read', async () => {
  const { proxies } = await startTasks([NEW]);
  await put(NEW);
  expect(await heard(proxies)).toEqual([true]);
  pass(60_000);
  cloud.endpoint.faults.set({ service: 'secretsmanager' }, { kind: 'status', status: 400, code: 'AccessDenied' });
  expect(await heard(proxies)).toEqual([true]);
});

describe('the function that rotates', () => {
  const rotate = () => cloud.sm.send(new RotateSecretCommand({ SecretId: ARNS.secret }));
  const secret = () => cloud.secrets.find(ARNS.secret)!;

  test('adds a key, makes it the current one and keeps the one before, which commands go on with', async () => {
    const { proxies } = await startTasks([OLD]);
    secret().rotationFunctionArn = 'function';
    const { VersionId } = await rotate();
    await until(() => secret().labels.get('AWSCURRENT') === VersionId);
    expect(secret().value).toMatch(/^[\w-]{64}$/);
    expect(secret().at('AWSPREVIOUS')?.value).toBe(OLD);
    expect(await heard(proxies)).toEqual([true]);
    await until(() => !secret().labels.has('AWSPENDING'));
    // A version by hand is not in the way of the next rotation.
    await put(NEW);
    await expect(rotate()).resolves.toMatchObject({ VersionId: expect.any(String) as string });
  });

  test('each step may be repeated, and a second rotation comes not before everyone knows of the first', async () => {
    const event = { SecretId: ARNS.secret, ClientRequestToken: 'a'.repeat(32) };
    const step = (Step: RotationEvent['Step'], token = event.ClientRequestToken) =>
      handler({ ...event, Step, ClientRequestToken: token });
    await step('createSecret');
    const pending = secret().at('AWSPENDING')?.value;
    await step('createSecret');
    await step('setSecret');
    await step('testSecret');
    expect(secret().value).toBe(OLD);
    for (const repeated of ['finishSecret', 'finishSecret', 'createSecret'] as const) await step(repeated);
    expect(secret().value).toBe(pending);
    expect(secret().at('AWSPREVIOUS')?.value).toBe(OLD);
    await expect(step('createSecret', 'b'.repeat(32))).rejects.toThrow(
      /^The last rotation must be 900 s old before the next one, got \d s$/,
    );
    expect(secret().value).toBe(pending);
    pass(900_000);
    await step('createSecret', 'b'.repeat(32));
    await step('finishSecret', 'b'.repeat(32));
    expect(secret().at('AWSPREVIOUS')?.value).toBe(pending);
  });

  test('another step than those of a rotation is rejected', async () => {
    const event = { SecretId: ARNS.secret, ClientRequestToken: 'a'.repeat(32), Step: 'constructor' };
    await expect(handler(event as unknown as RotationEvent)).rejects.toThrow(/^'Step' must be one of createSecret, /);
  });
});
