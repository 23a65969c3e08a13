import { GATE_RULE, approvalKey, rejectionKey } from '../../../core/approval/approval';
import type { CutoverConfig } from '../../../core/cutover/cutover-config';
import { identityPort } from '../../../lambda/adapters/identity';
import { storePort } from '../../../lambda/adapters/store/store';
import { approve } from '../../../lambda/steps/approve';
import { preflight } from '../../../lambda/steps/preflight';
import { AwsError } from '../../../rehearsal/errors/aws-error';
import { MemoryCloud } from '../../lambda/world';
import { deployedCutover } from '../../rehearsal/aws/deployed';
import { ARNS, REGION, LocalCloud, startLocalCloud } from '../../rehearsal/aws/world';
import { run } from '../../rehearsal/command';

const config = { storeBucket: 'store', weightedRuleArn: ARNS.rule } as CutoverConfig;

let cloud: LocalCloud;
let denied: string | undefined;
beforeEach(async () => {
  denied = undefined;
  const authorize = ({ action }: { action: string }) => {
    if (action === denied) throw new AwsError('AccessDenied', 'not you', 403);
  };
  cloud = await startLocalCloud({ stacks: () => [deployedCutover('shop', config)], authorize });
  Object.assign(process.env, {
    AWS_ENDPOINT_URL: cloud.url,
    AWS_REGION: REGION,
    AWS_ACCESS_KEY_ID: 'ANN',
    AWS_SECRET_ACCESS_KEY: 'none',
  });
});
afterEach(() => cloud.stop());

const respond = (execution: string, gate: string, verb = 'approve', ...flags: string[]) =>
  run([verb, '--stack', 'shop', '--execution', execution, '--gate', gate, '--yes', ...flags]);
const SAYS = "Approve 'firstShift' of 'night', signed as who you are at AWS.\n";
const ARN = 'arn:aws:iam::123456789012:user/ANN';

/** A cutover named `night` that asks before its first shift, over the store and the STS of the endpoint. */
async function waiting() {
  const memory = new MemoryCloud();
  memory.nowMs = Date.now();
  const { store, ...others } = memory.ports;
  const ports = {
    ...others,
    identity: identityPort(config),
    store: { ...store, approval: storePort('store').approval, rejection: storePort('store').rejection },
  };
  const ready = memory.ready({ approval: { beforeFirstShift: true } });
  const asking = await approve(
    await preflight({ ...ready, initial: undefined }, ports, memory.nowMs),
    ports,
    memory.nowMs,
  );
  expect(asking.verdict).toBe('wait');
  return { memory, look: () => approve(asking, ports, Date.now()) };
}

test('a yes is signed, and the cutover records who signed it', async () => {
  const { look } = await waiting();
  expect(await respond('night', 'firstShift')).toEqual({
    code: 0,
    output: `${SAYS}approved 'firstShift' of 'night' as ${ARN}: it counts at the next poll of the cutover, if it asks for it\n`,
  });
  const approved = await look();
  expect(approved.verdict).toBe('approved');
  expect(approved.timeline.at(-1)?.detail).toMatchObject({ by: ARN, byProof: 'sts' });
});

test('a no is one too', async () => {
  const { look } = await waiting();
  const { code, output } = await respond('night', 'firstShift', 'reject', '--json');
  expect([code, JSON.parse(output.slice(output.indexOf('{')))]).toEqual([
    0,
    {
      stack: 'shop',
      execution: 'night',
      gate: 'firstShift',
      decision: 'reject',
      by: ARN,
      key: approvalKey('night', 'firstShift'),
    },
  ]);
  expect((await look()).failure?.message).toBe(`'firstShift' must be approved, got a rejection by '${ARN}'`);
});

test.each([
  ['approve', 'reject'],
  ['reject', 'approve'],
])('of two persons who %s and %s at once, the one who rejects counts', async (first, second) => {
  const { look } = await waiting();
  for (const verb of [first, second]) expect((await respond('night', 'firstShift', verb)).code).toBe(0);
  expect((await look()).failure).toMatchObject({ code: 'ApprovalRejected' });
});

test('an approval at the place of a rejection is none, and one that cannot be read hides no approval', async () => {
  const { look } = await waiting();
  const put = (text: string) => cloud.objects.put('store', rejectionKey('night', 'firstShift'), Buffer.from(text));
  put('{"decision":"approve"}');
  expect((await look()).verdict).toBe('wait');
  put('{"decision":"rej');
  expect((await look()).verdict).toBe('wait');
  await respond('night', 'firstShift');
  expect((await look()).verdict).toBe('approved');
});

test('an approval of another gate or execution, put where this one is looked for, does not count', async () => {
  const { look, memory } = await waiting();
  await respond('night', 'lastStage');
  await respond('day', 'firstShift');
  for (const from of [approvalKey('night', 'lastStage'), approvalKey('day', 'firstShift')]) {
    cloud.objects.put('store', approvalKey('night', 'firstShift'), cloud.objects.find('store', from)!.body);
    expect((await look()).verdict).toBe('wait');
    expect(memory.notified.at(-1)?.text).toContain(
      "'statement.says' must be 'approve/firstShift/store/night', got 'approve/",
    );
  }
});

test('what STS rejects is not written; where it cannot be asked from here the approval is written all the same', async () => {
  const key = approvalKey('night', 'firstShift');
  const clear = cloud.endpoint.faults.set(
    { action: 'GetCallerIdentity' },
    { kind: 'status', status: 403, code: 'InvalidClientTokenId' },
  );
  expect(await respond('night', 'firstShift')).toEqual({
    code: 1,
    output: `${SAYS}drainshift: STS must confirm the statement, got 403 InvalidClientTokenId\n`,
  });
  expect(cloud.objects.find('store', key)).toBeUndefined();
  clear();
  cloud.endpoint.faults.set({ action: 'GetCallerIdentity' }, { kind: 'status', status: 503 });
  const { code, output } = await respond('night', 'firstShift');
  expect(code).toBe(0);
  expect(output).toMatch(
    /got 503 .*; the response is written all the same, and the cutover asks STS itself\n.* as its signer/,
  );
  expect(cloud.objects.find('store', key)).toBeDefined();
});

test('a person who may not approve is notified of it', async () => {
  denied = 's3:PutObject';
  const { code, output } = await respond('night', 'firstShift');
  expect(code).toBe(1);
  expect(output).toContain('S3 must respond to PutObject, got 403 AccessDenied');
  expect(output).toContain("Your identity lacks this right: see 'Rights' in docs/operating.md.");
});

test.each([
  [['--execution', 'a/b', '--gate', 'firstShift'], "without '/', ':' and spaces, got \"a/b\""],
  [
    ['--execution', 'arn:aws:states:eu-central-1:123456789012:execution:m:night', '--gate', 'firstShift'],
    "must be the name of an execution, 'night', got its ARN",
  ],
  [['--execution', 'a', '--gate', 'first'], `must be ${GATE_RULE}, got "first"`],
  [['--execution', 'a', '--gate', 'judge-1'], 'with a number where it asks again, as judge-2, got "judge-1"'],
  [['--execution', 'a', '--gate', 'firstShift'], "'--yes' must be given where no operator can be asked, got none"],
])('%j is wrong use', async (flags, message) => {
  const { code, output } = await run(['approve', '--stack', 'shop', ...flags]);
  expect(code).toBe(64);
  expect(output).toContain(message);
});
