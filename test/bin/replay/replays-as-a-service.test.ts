import { ChildProcess, spawn } from 'node:child_process';
import { once } from 'node:events';
import { resolve } from 'node:path';
import { Duration } from 'aws-cdk-lib';
import { Template } from 'aws-cdk-lib/assertions';
import { openS3Writer } from '../../../capture/s3/s3-writer';
import { encodeTrafficStream } from '../../../core/capture/traffic-stream';
import { parseReplayStatus } from '../../../core/replay/replay-status';
import type { AuthorizationRequest } from '../../../rehearsal/aws/endpoint/endpoint';
import { PolicyStatement, accessDenied, isAllowed } from '../../../rehearsal/aws/iam/iam';
import { openS3Text } from '../../../replay/s3/s3-text';
import { newStack, resolveText, resourceLike } from '../../lib/fixture';
import { findCommand, newReplay } from '../../lib/replay/replay-fixture';
import { LocalCloud, T0 as CLOUD_T0, startLocalCloud } from '../../rehearsal/aws/world';
import { Backend, respondAfter, startBackend } from '../../replay/recording-backend';
import { T0, ok, partsOf, put } from '../../support/recorded';
import { until } from '../../support/until';

/** What is in the image. */
const IMAGE = resolve(__dirname, '../../../dist/assets/proxy');
const before = { ...process.env };

let cloud: LocalCloud;
let backend: Backend;
let statements: readonly PolicyStatement[];
const denied: string[] = [];
const tasks: ChildProcess[] = [];

/** The role of the task may do what its template says, and nothing else. */
function authorize({ accessKeyId, action, resources, context }: AuthorizationRequest): void {
  if (accessKeyId !== 'ROLE') return;
  for (const resource of resources) {
    if (isAllowed(statements, action, resource, context)) continue;
    denied.push(`${action} ${resource}`);
    throw accessDenied(accessKeyId, action, resource);
  }
}

beforeAll(async () => {
  cloud = await startLocalCloud({ authorize });
  for (const name of ['captures', 'kept']) cloud.objects.createBucket(name, CLOUD_T0);
  const credentials = { AWS_ACCESS_KEY_ID: 'OPERATOR', AWS_SECRET_ACCESS_KEY: 'none' };
  Object.assign(process.env, { AWS_ENDPOINT_URL: cloud.url, AWS_REGION: 'eu-central-1', ...credentials });
  backend = await startBackend(({ url }, response) => {
    if (url === '/poison') response.statusCode = 503;
    return respondAfter(response, 0);
  });
});
afterAll(async () => {
  for (const task of tasks) task.kill('SIGKILL');
  process.env = { ...before };
  await backend.close();
  await cloud.stop();
});

interface Task {
  readonly child: ChildProcess;
  readonly ended: Promise<number | null>;
  output: string;
}

/** As ECS would start the container. */
function start(command: readonly string[], environment: Record<string, string>): Task {
  const [, ...args] = command;
  const child = spawn(process.execPath, args, {
    cwd: IMAGE,
    env: { ...process.env, ...environment, AWS_ACCESS_KEY_ID: 'ROLE' },
    stdio: ['ignore', 'pipe', 'pipe'],
  });
  tasks.push(child);
  const task: Task = { child, output: '', ended: once(child, 'close').then(([code]) => code as number | null) };
  for (const stream of [child.stdout, child.stderr]) stream?.on('data', (text) => (task.output += String(text)));
  return task;
}

const untilSent = (path: string, task: Task) =>
  until(
    () => backend.arrivals.some(({ url }) => url === path),
    () =>
      task.child.exitCode === null ? undefined : `exit ${task.child.exitCode}, denied ${denied.join()}: ${task.output}`,
  );

/** Writes what a proxy would record. */
async function openProxy() {
  const writer = await openS3Writer('captures', 'captured/', { id: 'p1', startedMs: T0 });
  let count = 0;
  return async (path: string) => {
    count += 1;
    const made = { connection: `c${count}`, n: 0, startMs: count, endMs: count + 0.5, request: put(path, '{}') };
    const records = partsOf([{ ...made, response: ok('') }]).map((part) => ({
      key: part.connectionId,
      bytes: encodeTrafficStream(part),
    }));
    await writer.append(count, records);
  };
}

const readObject = async (bucket: string, key: string) => (await (await openS3Text(bucket, key)).read())?.text;

test('the command of the task definition, with the rights of its role: it replays, parks in S3, and a further task goes on', async () => {
  const stack = newStack();
  const replay = newReplay(stack, { toUrl: backend.url.href, key: 'all', window: Duration.seconds(0) });
  const template = Template.fromStack(stack);
  const [, { Properties }] = resourceLike(template, 'AWS::IAM::Policy', /TaskRole/);
  const { Statement } = Properties.PolicyDocument as { Statement: (PolicyStatement & { Resource: unknown })[] };
  statements = Statement.map((each) => ({ ...each, Resource: [each.Resource].flat().map(resolveText) }));
  const [, task] = resourceLike(template, 'AWS::ECS::TaskDefinition', /Replay/);
  const [{ Environment = [] }] = task.Properties.ContainerDefinitions as [
    { Environment?: { Name: string; Value: string }[] },
  ];
  const environment = Object.fromEntries(Environment.map(({ Name, Value }) => [Name, Value]));
  const command = findCommand(template).map(resolveText);

  const record = await openProxy();
  for (const path of ['/1', '/poison', '/2']) await record(path);
  const first = start([...command, '--attempts', '1'], environment);
  await untilSent('/2', first);
  first.child.kill('SIGTERM');
  // Something is parked.
  expect([await first.ended, first.output]).toEqual([
    1,
    expect.stringContaining('2 sent, 1 failed attempts, 1 parked'),
  ]);
  const metrics = first.output.split('\n').find((line) => line.startsWith('{"_aws"')) ?? '';
  expect(JSON.parse(metrics)).toMatchObject({ Service: replay.serviceName, ReplaySent: 2, ReplayParked: 1 });
  const parked = JSON.parse((await readObject('kept', 'replays/to-target.parked/c2.0.json'))!) as object;
  expect(parked).toMatchObject({ id: 'c2.0', request: 'PUT /poison HTTP/1.1' });
  expect(JSON.parse((await readObject('kept', 'replays/to-target.checkpoint.json'))!)).toMatchObject({
    hasEnded: true,
  });

  await record('/3');
  const second = start(command, environment);
  await untilSent('/3', second);
  second.child.kill('SIGTERM');
  expect([await second.ended, second.output]).toEqual([0, expect.stringContaining('1 sent, 0 failed attempts')]);
  expect(backend.arrivals.map(({ url }) => url)).toEqual(['/1', '/poison', '/2', '/3']);
  const status = parseReplayStatus((await readObject('store', 'replays/to-target.json'))!, 'it');
  expect(status).toMatchObject({ parked: 1, from: 's3://captures/captured/', ended: 'it was stopped' });
  expect(denied).toEqual([]);
});
