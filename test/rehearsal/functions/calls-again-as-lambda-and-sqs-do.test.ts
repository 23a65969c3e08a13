import { buildRecoveryCall, QueuedChange } from '../../../core/cutover/recovery';
import { Resources } from '../../../rehearsal/template/resources/resources';
import type { Retries } from '../../../rehearsal/functions/retries';
import { buildRetries } from '../../../rehearsal/template/parts/retries';
import { AsynchronousCall, AsynchronousCalls } from '../../../rehearsal/functions/asynchronous-calls';

const event = { detail: { name: 'night', status: 'ABORTED' } };
const queue = { arn: 'arn:aws:sqs:eu-central-1:1:retries', visibilityMs: 180_000, maxReceives: 5 };

/** Runs a call to its end, with pauses a hundred thousand times shorter. */
async function findCall(results: readonly ('fails' | 'works')[], retries: Retries) {
  const payloads: unknown[] = [];
  const states: string[] = [];
  const call = await new Promise<AsynchronousCall>((resolve) => {
    const calls = new AsynchronousCalls({
      invoke: (_, payload) => {
        payloads.push(structuredClone(payload));
        if (results[payloads.length - 1] === 'works') return Promise.resolve({ recovered: true });
        return Promise.reject(new Error('S3 is away'));
      },
      speed: 100_000,
      changed: (each) => {
        states.push(`${each.state} ${each.calls}`);
        if (each.state !== 'underWay') resolve(each);
      },
    });
    calls.begin('recover', 'night', event, retries);
  });
  return { call, payloads, states };
}

test('what succeeds is called once, with the event itself', async () => {
  const { call, payloads } = await findCall(['works'], { lambdaPausesMs: [], queue });
  expect(payloads).toEqual([event]);
  expect(call).toMatchObject({ state: 'done', calls: 1, result: { recovered: true } });
});

test('what fails is handed over by the queue until it succeeds, each time counted', async () => {
  const { call, payloads, states } = await findCall(['fails', 'fails', 'fails', 'works'], {
    lambdaPausesMs: [],
    queue,
  });
  expect(call).toMatchObject({ state: 'done', calls: 4, error: 'S3 is away' });
  expect(states).toEqual(['underWay 0', 'underWay 1', 'underWay 2', 'underWay 3', 'done 4']);
  const bodies = payloads.slice(1) as QueuedChange[];
  expect(bodies.map((each) => buildRecoveryCall(each).change)).toEqual([event, event, event]);
  expect(bodies.map(({ Records: [record] }) => record?.attributes.ApproximateReceiveCount)).toEqual(['1', '2', '3']);
});

test('it is given up after as many messages as the queue allows', async () => {
  const { call } = await findCall([], { lambdaPausesMs: [], queue });
  expect(call).toMatchObject({ state: 'givenUp', calls: 1 + queue.maxReceives });
});

test('without a queue Lambda itself repeats it twice, and drops it', async () => {
  expect((await findCall([], { lambdaPausesMs: [60_000, 120_000] })).call).toMatchObject({
    state: 'givenUp',
    calls: 3,
  });
});

test('nothing is called any more once it was stopped', async () => {
  let count = 0;
  const calls = new AsynchronousCalls({
    invoke: () => ((count += 1), Promise.reject(new Error('away'))),
    speed: 100_000,
    changed: () => calls.stop(),
  });
  calls.begin('recover', 'night', event, { lambdaPausesMs: [], queue });
  await new Promise((resolve) => setTimeout(resolve, 200));
  expect(count).toBeLessThanOrEqual(1);
});

test('queue, visibility and attempts are those of the template', () => {
  const ref = (name: string) => ({ 'Fn::GetAtt': [name, 'Arn'] });
  const template = {
    Recover: { Type: 'AWS::Lambda::Function', Properties: {} },
    Other: { Type: 'AWS::Lambda::Function', Properties: {} },
    Config: {
      Type: 'AWS::Lambda::EventInvokeConfig',
      Properties: {
        FunctionName: { Ref: 'Recover' },
        MaximumRetryAttempts: 0,
        DestinationConfig: { OnFailure: { Destination: ref('Queue') } },
      },
    },
    Source: {
      Type: 'AWS::Lambda::EventSourceMapping',
      Properties: { FunctionName: { Ref: 'Recover' }, EventSourceArn: ref('Queue') },
    },
    Queue: {
      Type: 'AWS::SQS::Queue',
      Properties: { VisibilityTimeout: 180, RedrivePolicy: { maxReceiveCount: 120 } },
    },
  };
  const place = { name: 'App', region: 'eu-central-1', account: '111122223333' };
  const stack = { ...place, template: { Resources: template }, files: new Map(), images: new Map() };
  const [recover, other] = [...buildRetries(new Resources(stack)).values()];
  expect(recover).toMatchObject({ lambdaPausesMs: [], queue: { visibilityMs: 180_000, maxReceives: 120 } });
  expect(other).toEqual({ lambdaPausesMs: [60_000, 120_000] });
});
