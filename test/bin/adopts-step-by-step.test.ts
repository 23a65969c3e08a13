import { Server, createServer } from 'node:http';
import type { AddressInfo } from 'node:net';
import type { Unproven } from '../../core/cutover/proof';
import { OLD_GROUP_TAG } from '../../core/traffic/weighted-rule';
import { AdoptionPorts, adoptionPorts } from '../../lambda/operator';
import { AdoptionChange, changeAdoption } from '../../bin/adopt-change';
import { cutoverConfig, deployedCutover } from '../rehearsal/aws/deployed';
import { ARNS, REGION, LocalCloud, forward, startLocalCloud } from '../rehearsal/aws/world';
import { run } from '../rehearsal/command';

const OLD = ARNS.source.replace('targetgroup/source', 'targetgroup/old');
const config = { ...cutoverConfig(1), proofFunctionName: 'proof' };

let cloud: LocalCloud;
/** Lambda: responds with what speaks against the side that it is asked about. */
let lambda: Server;
let asked: string[];
let against: readonly Unproven[];

beforeEach(async () => {
  [asked, against] = [[], []];
  lambda = createServer((request, response) => {
    let body = '';
    request.on('data', (chunk) => (body += String(chunk)));
    request.on('end', () => {
      asked.push(`${request.url} ${body}`);
      response.end(JSON.stringify({ unproven: against }));
    });
  });
  await new Promise<void>((resolve) => lambda.listen(0, '127.0.0.1', resolve));
  const stacks = [deployedCutover('shop', config), deployedCutover('older', cutoverConfig(1))];
  cloud = await startLocalCloud({ stacks: () => stacks });
  const group = cloud.elbModel.targetGroup(ARNS.source);
  cloud.elbModel.targetGroups.set(OLD, { ...group, arn: OLD, name: 'old', targets: new Map(group.targets) });
  cloud.elbModel.rule(ARNS.defaultRule).actions = [forward([OLD, 1])];
  cloud.elbModel.rule(ARNS.rule).actions = [forward([OLD, 100])];
  cloud.elbModel.tags.set(ARNS.rule, { [OLD_GROUP_TAG]: OLD });
  Object.assign(process.env, {
    AWS_ENDPOINT_URL: cloud.url,
    AWS_ENDPOINT_URL_LAMBDA: `http://127.0.0.1:${(lambda.address() as AddressInfo).port}`,
    AWS_REGION: REGION,
    AWS_ACCESS_KEY_ID: 'OPERATOR',
    AWS_SECRET_ACCESS_KEY: 'none',
  });
});
afterEach(async () => {
  delete process.env.AWS_ENDPOINT_URL_LAMBDA;
  lambda.closeAllConnections();
  await new Promise((resolve) => lambda.close(resolve));
  await cloud.stop();
});

const groups = () => {
  const action = cloud.elbModel.rule(ARNS.rule).actions[0];
  return action?.type === 'forward' ? action.forward.targetGroups.map(({ arn, weight }) => [arn, weight]) : [];
};
const adopt = (...flags: string[]) => run(['adopt', '--stack', ...flags]);

function change(share: number, over: Partial<AdoptionChange> = {}, ports: Partial<AdoptionPorts> = {}) {
  return changeAdoption(
    { ...adoptionPorts(config, () => undefined), ...ports },
    {
      request: { share },
      execution: 'manual-1',
      agree: async () => true,
      onLock: () => undefined,
      endInOrder: () => undefined,
      signal: new AbortController().signal,
      now: () => Date.now(),
      pause: async () => undefined,
      ...over,
    },
  );
}

test('the command shows, steps forward over proxies that are proven, and rolls back', async () => {
  expect(await adopt('shop')).toEqual({
    code: 0,
    output: `0 of 100 requests come through the proxies, the others go past them to ${OLD}\nlock  free\nrule  ${ARNS.rule}\n`,
  });
  expect(await adopt('shop', '--share', '10', '--yes')).toEqual({
    code: 0,
    output: `changed, and read back: 10 of 100 requests come through the proxies of the source, the others go past them to ${OLD}\n`,
  });
  expect(asked.at(-1)).toBe('/2015-03-31/functions/proof/invocations {"side":"source"}');
  expect(groups()).toEqual([
    [ARNS.source, 10],
    [OLD, 90],
  ]);
  expect(await adopt('shop', '--share', '100', '--yes', '--json')).toMatchObject({ code: 0 });
  expect(groups()).toEqual([[ARNS.source, 100]]);
  const before = asked.length;
  expect((await adopt('shop', '--share', '0', '--yes')).code).toBe(0);
  expect(groups()).toEqual([[OLD, 100]]);
  expect(asked).toHaveLength(before);
  // Meanwhile the weights are no one's, and the message says what to do.
  const { code, output } = await run(['weights', 'get', '--stack', 'shop']);
  expect([code, output]).toEqual([1, expect.stringContaining("adopted first, with 'drainshift adopt'")]);
});

test('wrong use is reported by its exit code', async () => {
  expect(await adopt('shop', '--share', '101', '--yes')).toMatchObject({
    code: 64,
    output: expect.stringContaining("must be an integer from 0 to 100, got '101'") as string,
  });
  expect(await adopt('shop', '--share', '10')).toMatchObject({ code: 64 });
  expect(await adopt('older', '--share', '10', '--yes')).toMatchObject({
    code: 1,
    output: expect.stringContaining('a deployment without its proof; deploy it again') as string,
  });
});

test('proxies that are not proven get nothing', async () => {
  against = [{ code: 'SmokeFailed', message: 'GET / on the source must respond with 200, got 502' }];
  await expect(change(1)).rejects.toMatchObject({ code: 'SmokeFailed', message: against[0]?.message });
  expect(groups()).toEqual([[OLD, 100]]);
});

test('proxies that fail after the person was asked get nothing either', async () => {
  const proofs = [[], [{ code: 'TargetsUnhealthy', message: 'dead' }]] as Unproven[][];
  await expect(change(1, {}, { prove: async () => proofs.shift() ?? [] })).rejects.toThrow('dead');
  expect(groups()).toEqual([[OLD, 100]]);
});

test('a group past the proxies without a healthy target gets nothing back', async () => {
  cloud.elbModel.rule(ARNS.rule).actions = [forward([ARNS.source, 100])];
  for (const target of cloud.elbModel.targetGroup(OLD).targets.values()) target.state = 'unhealthy';
  await expect(change(50)).rejects.toMatchObject({ code: 'TargetsUnhealthy' });
});

test('the one who changes the rule while the person is asked is not overridden', async () => {
  const agree = async () => {
    cloud.elbModel.rule(ARNS.rule).actions = [forward([ARNS.source, 50], [OLD, 50])];
    return true;
  };
  await expect(change(10, { agree })).rejects.toMatchObject({ code: 'RulesChanged' });
  expect(groups()[0]).toEqual([ARNS.source, 50]);
  expect(await change(50)).toMatchObject({ outcome: 'unchanged' });
  expect(await change(60, { agree: async () => false })).toMatchObject({ outcome: 'declined' });
});
