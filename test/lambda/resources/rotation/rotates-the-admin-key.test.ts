import {
  DescribeSecretCommand,
  GetSecretValueCommand,
  PutSecretValueCommand,
  RotateSecretCommand,
  UpdateSecretVersionStageCommand,
} from '@aws-sdk/client-secrets-manager';
import { until } from '../../../support/until';
import { rotatedSecret } from '../../../../lambda/adapters/rotated-secret';
import type { RotatedSecret, SecretVersion } from '../../../../lambda/contract/rotation-ports';
import { RotationEvent, rotate } from '../../../../lambda/resources/rotation/rotate';
import { ARNS, REGION, LocalCloud, nameOfFailure, startLocalCloud } from '../../../rehearsal/aws/world';

const MINUTE_MS = 60_000;
type Step = RotationEvent['Step'];
const event = (step: Step, token = 'new'): RotationEvent => ({
  Step: step,
  SecretId: ARNS.secret,
  ClientRequestToken: token,
});
const version = (id: string, minute: number, ...labels: string[]): SecretVersion => ({
  id,
  labels,
  createdMs: minute * MINUTE_MS,
});

/** A secret as it was found, and what was done to it. */
function found(versions: readonly SecretVersion[], rotatedMinute?: number) {
  const done: string[] = [];
  const lastRotatedMs = rotatedMinute === undefined ? undefined : rotatedMinute * MINUTE_MS;
  const secret: RotatedSecret = {
    history: () => Promise.resolve({ versions, lastRotatedMs }),
    addPending: async (id) => void done.push(`add ${id}`),
    makeCurrent: async (id, before) => void done.push(`${before} to ${id}`),
  };
  return { secret, done };
}

const CURRENT = 'AWSCURRENT';
const PREVIOUS = 'AWSPREVIOUS';
const PENDING = 'AWSPENDING';

test.each<[string, readonly SecretVersion[], number | undefined]>([
  ['a rotation that ended long after it began', [version('b', 80, CURRENT, PENDING), version('a', 0, PREVIOUS)], 100],
  ['a rotation whose old key was revoked', [version('b', 100, CURRENT), version('a', 0)], 100],
  ['a rotation whose old key was revoked and is gone', [version('b', 99, CURRENT)], 100],
  ['a version by hand', [version('b', 100, CURRENT), version('a', 0, PREVIOUS)], undefined],
  ['a version by hand, with the old key revoked', [version('b', 100, CURRENT), version('a', 0)], undefined],
  ['a rollback by hand', [version('b', 100, PREVIOUS), version('a', 0, CURRENT)], undefined],
  ['a rollback by hand, with the newer key revoked', [version('b', 100), version('a', 0, CURRENT)], undefined],
])('%s is 15 minutes old before the next rotation begins or ends', async (_, versions, rotated) => {
  for (const step of ['createSecret', 'finishSecret'] as const) {
    const { secret, done } = found([...versions, version('new', 100)], rotated);
    for (const minute of [100, 114.9]) {
      await expect(rotate(event(step), secret, minute * MINUTE_MS)).rejects.toThrow(
        /^The last rotation must be 900 s old before the next one, got (0|894) s$/,
      );
    }
    expect(done).toEqual([]);
    await rotate(event(step), secret, 115 * MINUTE_MS);
    expect(done).toHaveLength(1);
  }
});

test.each<[string, readonly SecretVersion[]]>([
  ['a secret that was never rotated', [version('a', 100, CURRENT)]],
  ['the version of a rotation that failed', [version('a', 0, CURRENT), version('x', 100, PENDING)]],
  ['the version of this rotation', [version('a', 100, CURRENT), version('new', 100, PENDING)]],
])('%s is no rotation', async (_, versions) => {
  const { secret, done } = found(versions);
  for (const step of ['createSecret', 'setSecret', 'testSecret', 'finishSecret'] as const) {
    await rotate(event(step), secret, 100 * MINUTE_MS);
  }
  expect(done).toEqual(['add new', 'a to new']);
});

test('a rotation that is repeated after its end changes nothing', async () => {
  const { secret, done } = found([version('new', 100, CURRENT, PENDING), version('a', 0, PREVIOUS)], 100);
  for (const step of ['createSecret', 'finishSecret'] as const) await rotate(event(step), secret, 100 * MINUTE_MS);
  expect(done).toEqual([]);
});

test('a step that no one knows is rejected', async () => {
  const { secret } = found([]);
  const unknown = rotate(event('other' as Step), secret, 0);
  await expect(unknown).rejects.toThrow("'Step' must be one of createSecret, setSecret, testSecret, finishSecret, got");
});

describe('at Secrets Manager', () => {
  const SecretId = ARNS.secret;
  const secret = () => cloud.secrets.find(SecretId)!;
  let cloud: LocalCloud;
  let nowMs: number;
  beforeEach(async () => {
    nowMs = Date.now();
    cloud = await startLocalCloud({
      invoke: (_, asked) => rotate(asked as RotationEvent, rotatedSecret(SecretId), nowMs),
    });
    Object.assign(process.env, {
      AWS_ENDPOINT_URL: cloud.url,
      AWS_REGION: REGION,
      AWS_ACCESS_KEY_ID: 'LAMBDA',
      AWS_SECRET_ACCESS_KEY: 'none',
    });
    secret().rotationFunctionArn = 'function';
  });
  afterEach(() => cloud.stop());

  /** Until its function is no more at work. @returns the error with which it did not begin */
  async function rotateSecret(): Promise<string | undefined> {
    const failure = await cloud.sm.send(new RotateSecretCommand({ SecretId })).then(
      () => undefined,
      ({ name }: Error) => name,
    );
    await until(() => !secret().isRotating);
    return failure;
  }

  const value = async (VersionStage: string) =>
    (await cloud.sm.send(new GetSecretValueCommand({ SecretId, VersionStage }))).SecretString;
  const lookup = async () => {
    const { VersionIdsToStages = {}, LastRotatedDate } = await cloud.sm.send(new DescribeSecretCommand({ SecretId }));
    return { labels: Object.values(VersionIdsToStages).flat().sort(), rotatedAt: LastRotatedDate };
  };
  const changes = () => cloud.calls.map(({ action }) => action).filter((action) => /^(Put|Update)/.test(action));

  test('AWSPENDING goes with the one call that moves AWSCURRENT', async () => {
    expect(await rotateSecret()).toBeUndefined();
    expect(changes()).toEqual(['PutSecretValue', 'UpdateSecretVersionStage']);
    expect(await value(PREVIOUS)).toBe('a key');
    expect(await value(CURRENT)).toMatch(/^[\w-]{64}$/);
    expect(await lookup()).toEqual({ labels: [CURRENT, PREVIOUS], rotatedAt: expect.any(Date) as Date });
  });

  test('a rotation that is too early is attempted again, and ends once it is not', async () => {
    await rotateSecret();
    const [key, { rotatedAt }] = [await value(CURRENT), await lookup()];
    // The revocation of the old key changes nothing about that.
    const VersionStage = PREVIOUS;
    const RemoveFromVersionId = secret().labels.get(PREVIOUS);
    await cloud.sm.send(new UpdateSecretVersionStageCommand({ SecretId, VersionStage, RemoveFromVersionId }));
    expect(await rotateSecret()).toBeUndefined();
    expect([await value(CURRENT), await lookup()]).toEqual([key, { labels: [CURRENT, PENDING], rotatedAt }]);
    nowMs += 16 * MINUTE_MS;
    expect(await rotateSecret()).toBe('InvalidRequestException');
    expect(await value(PREVIOUS)).toBe(key);
    expect((await lookup()).labels).toEqual([CURRENT, PREVIOUS]);
  });

  test('it has ended where AWSPENDING is on the current version, and not where a person has left it on another', async () => {
    const begun = { SecretId, SecretString: 'by hand', ClientRequestToken: 'a'.repeat(32) };
    await cloud.sm.send(new PutSecretValueCommand({ ...begun, VersionStages: [CURRENT, PENDING] }));
    nowMs += 16 * MINUTE_MS;
    expect(await rotateSecret()).toBeUndefined();
    secret().move(PENDING, begun.ClientRequestToken);
    expect(await nameOfFailure(cloud.sm.send(new RotateSecretCommand({ SecretId })))).toBe('InvalidRequestException');
  });
});
