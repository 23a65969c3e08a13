import { readFileSync, rmSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { readAssembly } from '../../../rehearsal/template/assembly/read';
import { readBackWeights } from '../../../rehearsal/run/read-back';
import { cutOver } from '../../../rehearsal/run/cut-over';
import { RehearsalOptions, standUp } from '../../../rehearsal/run/rehearse';
import type { Report } from '../../../rehearsal/report/evidence';
import { redeploy } from '../../../rehearsal/redeploy/redeploy';
import type { RunningRehearsal } from '../../../rehearsal/cloud/running-rehearsal';
import { nothingLost } from '../../../rehearsal/traffic/counting/tally';
import { until } from '../../../rehearsal/processes/waiting';
import { changedApp } from '../changed-app';
import { run, synthesize, temporaryFolder } from '../command';

const CERTIFICATE = 'arn:aws:acm:eu-central-1:111122223333:certificate/99999999-0000-0000-0000-000000000000';
const HALF = { source: 50, target: 50 };
/** While functions are redeployed under other tests, a look may find tasks that do not respond in time: it looks again. */
const PATIENT = { maximumBakeSeconds: 60_000 };
const never = new AbortController().signal;

let folder: string;
let app: string;
let running: RunningRehearsal;
let cutover: Promise<Report>;
const steps: string[] = [];
const reporter = {
  isLive: false,
  step: (text: string) => void steps.push(text),
  progress: () => undefined,
  switching: () => undefined,
  switched: () => undefined,
};

beforeAll(async () => {
  folder = temporaryFolder();
  app = synthesize(folder);
  const options = heldOptions(
    changedApp(app, 'certificate', (type, properties) => {
      if (type === 'AWS::ElasticLoadBalancingV2::Listener') properties.Certificates = [{ CertificateArn: CERTIFICATE }];
    }),
  );
  running = await standUp(options, reporter, never);
  cutover = cutOver(running, options, reporter, never);
  // A failure is seen where it is waited for.
  const failed = cutover.then(() => undefined).catch((error: Error) => error);
  await Promise.race([
    failed,
    until(() => steps.some((step) => /^waits for your approval/.test(step)), { signal: never }),
  ]);
});
afterAll(async () => {
  await running?.stop();
  await cutover?.catch(() => undefined);
  rmSync(folder, { recursive: true, force: true });
});

/** A cutover that stays at 50/50 until it is approved, however long that takes. It moves no connection. */
function heldOptions(redeployed: string): RehearsalOptions {
  const plan = join(folder, 'plan.json');
  const stages = [
    { weights: HALF, bakeSeconds: 300, ...PATIENT },
    { weights: { source: 0, target: 100 }, bakeSeconds: 120, ...PATIENT },
  ];
  writeFileSync(
    plan,
    JSON.stringify({
      stages,
      pollSeconds: 140,
      approval: { beforeLastStage: true, timeoutSeconds: 600_000 },
      drain: { moves: 'none' },
    }),
  );
  const ports = new Map([443, 9201, 9202].map((port) => [port, 0]));
  return {
    app,
    plan,
    redeploy: redeployed,
    approve: false,
    speed: 120,
    traffic: 0.2,
    seed: 1,
    command: 'test',
    version: '0',
    ports,
  };
}

/** With another certificate, which comes first: the rule refers to its listener. */
const changedStickiness = () =>
  changedApp(app, 'stickiness', (type, properties) => {
    if (type === 'Custom::DrainshiftWeightedRule') properties.StickinessSeconds = 7200;
    if (type === 'AWS::ElasticLoadBalancingV2::Listener') properties.Certificates = [{ CertificateArn: 'arn:third' }];
  });

/** Those of the listeners with TLS. */
function certificates(): (string | undefined)[] {
  const listeners = [...running.cloud.model.elb.listeners.values()];
  return listeners.filter(({ protocol }) => protocol === 'HTTPS').map(({ certificateArns }) => certificateArns[0]);
}

function liveRule() {
  const { elb, config } = running.cloud.model;
  const [action] = elb.rule(config.weightedRuleArn).actions;
  if (action?.type !== 'forward') throw new Error('the weighted rule must forward');
  return action.forward;
}

/** Why the cutover has ended already; undefined while it has not. */
async function findEnd(): Promise<unknown> {
  const ended = cutover.then(({ evidence: { outcome, rollback, failure } }) => ({ outcome, rollback, failure }));
  return Promise.race([ended, new Promise((resolve) => setImmediate(resolve))]);
}

test('the rule was created by its own function, and everything refers to it by the ARN that it has there', () => {
  const { elb, config } = running.cloud.model;
  expect(elb.rule(config.weightedRuleArn)).toMatchObject({ priority: 1000, listenerArn: config.weightedListenerArn });
  expect(elb.tags.get(config.weightedRuleArn)).toMatchObject({ 'drainshift:stack-id': running.cloud.stack.id });
});

test('another certificate in the first bake: the listeners have it, and the weights stay', () => {
  expect(certificates()).toEqual([CERTIFICATE, CERTIFICATE, CERTIFICATE]);
  expect(steps).toContain('redeploy: the weights stay 50/50');
  expect(steps).toContain('redeploy: UPDATE_COMPLETE');
});

test('an unrelated change, of the functions themselves, touches neither the rule nor the cutover', async () => {
  expect(await findEnd()).toBeUndefined();
  const before = liveRule();
  const other = changedApp(app, 'unrelated', (type, properties) => {
    if (type === 'AWS::Lambda::Function') properties.Description = 'as redeployed';
    if (type === 'AWS::Lambda::Function')
      Object.assign((properties.Environment as { Variables: object } | undefined)?.Variables ?? {}, { NEW: '1' });
    if (type === 'AWS::Logs::LogGroup') properties.RetentionInDays = 1;
  });
  const redeployed = await redeploy(running.cloud.stack, readAssembly(other));
  expect(redeployed).toMatchObject({ status: 'UPDATE_COMPLETE', passedOver: [] });
  expect(redeployed.applied.join()).toContain('(AWS::Lambda::Function)');
  expect(redeployed.applied.join()).not.toContain('Custom::');
  expect(liveRule()).toEqual(before);
  expect(await findEnd()).toBeUndefined();
  expect(await readBackWeights(running.cloud)).toEqual(HALF);
});

test('another stickiness is rejected while the lock is held, and everything is put back', async () => {
  const before = { rule: liveRule(), certificates: certificates() };
  const redeployed = await redeploy(running.cloud.stack, readAssembly(changedStickiness()));
  const [execution] = [...running.cloud.states.executions.values()];
  expect(redeployed.status).toBe('UPDATE_ROLLBACK_COMPLETE');
  expect(redeployed.reason).toContain(`held by '${execution?.name}'`);
  expect(redeployed.applied).toEqual([]);
  expect(running.cloud.stack.description).toMatchObject({ status: 'UPDATE_ROLLBACK_COMPLETE' });
  expect({ rule: liveRule(), certificates: certificates() }).toEqual(before);
  expect(await readBackWeights(running.cloud)).toEqual(HALF);
});

/** With everything that it guards, and without itself. */
function withoutGuard(): string {
  const copy = changedApp(app, 'without-guard', () => undefined);
  const file = join(copy, 'Drainshift.template.json');
  const template = JSON.parse(readFileSync(file, 'utf8')) as { Resources: Record<string, { Type: string }> };
  const kept = Object.entries(template.Resources).filter(([, { Type }]) => Type !== 'Custom::DrainshiftGuard');
  writeFileSync(file, JSON.stringify({ ...template, Resources: Object.fromEntries(kept) }));
  return copy;
}

test('another target group for a side that serves is rejected by the guard of the groups', async () => {
  const before = liveRule();
  const other = changedApp(app, 'group', (type, properties) => {
    if (type === 'AWS::ElasticLoadBalancingV2::TargetGroup') properties.Name = 'other';
  });
  expect(await redeploy(running.cloud.stack, readAssembly(other))).toMatchObject({
    status: 'UPDATE_ROLLBACK_COMPLETE',
    reason: expect.stringContaining('must have no weight on a group that is replaced') as string,
  });
  expect(liveRule()).toEqual(before);
});

test('the guard of the deletion does not go while the lock is held', async () => {
  expect(await redeploy(running.cloud.stack, readAssembly(withoutGuard()))).toMatchObject({
    status: 'UPDATE_COMPLETE',
    reason: expect.stringContaining('must not be deleted while the lock is held') as string,
  });
});

test('the cutover goes on and completes, and nothing is lost', async () => {
  const { cloud } = running;
  const [execution] = [...cloud.states.executions.values()];
  const { name: stack, region } = cloud.model.stack;
  Object.assign(process.env, {
    AWS_ENDPOINT_URL: cloud.endpoint.url,
    AWS_ACCESS_KEY_ID: 'ANN',
    AWS_SECRET_ACCESS_KEY: 'none',
  });
  const where = ['--stack', stack, '--region', region, '--execution', execution?.name ?? '', '--gate', 'lastStage'];
  const responded = await run(['approve', ...where, '--yes']);
  expect(responded.code === 0 ? '' : responded.output).toBe('');
  const { evidence } = await cutover;
  expect(evidence.traffic.failures).toEqual([]);
  expect(evidence).toMatchObject({ outcome: 'completed', finalWeights: { source: 0, target: 100 } });
  expect(evidence.timeline.find(({ state }) => state === 'Approve')?.detail).toMatchObject({
    by: expect.stringMatching(/^arn:aws:iam::\d{12}:user\/ANN$/) as string,
    byProof: 'sts',
  });
  expect(nothingLost(evidence.traffic)).toBe(true);
  // Without moves its connections are closed in order, and their clients connect anew.
  expect(evidence.drain.moved).toBe(0);
  expect(evidence.traffic.websocket.closedByServer).toBeGreaterThan(0);
  expect(evidence.drain.byKind?.websocket.closed).toBeGreaterThan(0);
  expect(evidence.rehearsal.redeploy).toMatchObject({
    status: 'UPDATE_COMPLETE',
    weightsBefore: HALF,
    weightsAfter: HALF,
  });
});

test('afterwards the other stickiness is taken, with the weights that the cutover has left', async () => {
  expect(await redeploy(running.cloud.stack, readAssembly(join(folder, 'stickiness')))).toMatchObject({
    status: 'UPDATE_COMPLETE',
  });
  expect(liveRule().stickiness).toEqual({ enabled: true, durationSeconds: 7200 });
  expect(new Set(certificates())).toEqual(new Set(['arn:third']));
  expect(await readBackWeights(running.cloud)).toEqual({ source: 0, target: 100 });
});
