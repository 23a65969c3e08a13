import { execFile, spawn, spawnSync } from 'node:child_process';
import { once } from 'node:events';
import { IncomingHttpHeaders, Server, createServer } from 'node:http';
import { AddressInfo } from 'node:net';
import { createInterface } from 'node:readline';
import { text } from 'node:stream/consumers';
import { promisify } from 'node:util';
import { renderCheckpointDocument } from '../../../core/state/checkpoint-document';
import { hostsPort } from '../../../lambda/adapters/hosts';
import type { HostOrder } from '../../../lambda/contract/host-ports';
import { CommandDocument, LocalCommands } from '../../../rehearsal/hosts/local-commands';
import { LocalCloud, REGION, startLocalCloud } from '../../rehearsal/aws/world';
import { until } from '../../support/until';
import { awsCliTest, callEndpoint } from './world';

const HOST = 'i-0123456789abcdef0';
const ORDER: HostOrder = {
  ...({ documentName: 'Hosts', instanceId: HOST, side: 'source', action: 'dump' } as const),
  ...{ copy: 'night.target.1.1', epoch: 7, isBehind: false, untilMs: 1_700_000_000_999 },
};
const LIMIT_MS = 10_000;

const send = (order: Partial<HostOrder> = {}) => hostsPort().send({ ...ORDER, ...order }, LIMIT_MS);
const read = (id = 'command') => hostsPort().read(ORDER, id, LIMIT_MS);

describe('at a service that', () => {
  interface Received {
    readonly headers: IncomingHttpHeaders;
    readonly input: object;
  }
  type Response = readonly [status: number, body: unknown];
  let server: Server;
  let received: Received[];
  let responses: Response[];

  beforeAll(async () => {
    server = createServer((request, response) => {
      void text(request).then((body) => {
        received.push({ headers: request.headers, input: JSON.parse(body) as object });
        // The last one goes on.
        const [status, made] = responses.length > 1 ? responses.shift()! : responses[0]!;
        if (status === 0) return void request.socket.destroy();
        response.writeHead(status, { 'content-type': 'application/x-amz-json-1.1' });
        response.end(typeof made === 'string' ? made : JSON.stringify(made));
      });
    }).listen(0, '127.0.0.1');
    await once(server, 'listening');
  });
  beforeEach(() => {
    received = [];
    callEndpoint(`http://127.0.0.1:${(server.address() as AddressInfo).port}`);
  });
  afterAll(() => {
    server.closeAllConnections();
    server.close();
  });

  const invocation = (status: string, output = '', details = status): Response => [
    200,
    { CommandId: 'command', Status: status, StatusDetails: details, StandardOutputContent: output },
  ];
  const failure = (status: number, type: string, message = ''): Response => [status, { __type: type, message }];
  const THROTTLED = failure(400, 'ThrottlingException', 'Rate exceeded');
  const DENIED = failure(
    400,
    'AccessDeniedException',
    'User: arn:aws:sts::1:assumed-role/a is not authorized to perform: ssm:SendCommand',
  );

  test('runs a document is called as Systems Manager is, with parameters that are texts alone', async () => {
    responses = [[200, { Command: { CommandId: 'command' } }]];
    await expect(send()).resolves.toBe('command');
    const [{ headers, input }] = received as [Received];
    expect(input).toEqual({
      ...{ DocumentName: 'Hosts', InstanceIds: [HOST], TimeoutSeconds: 30 },
      Parameters: {
        ...{ action: ['dump'], side: ['source'], copy: ['night.target.1.1'], epoch: ['7'] },
        ...{ behind: ['no'], until: ['1700000000'] },
      },
    });
    expect(headers).toMatchObject({
      'x-amz-target': 'AmazonSSM.SendCommand',
      'content-type': 'application/x-amz-json-1.1',
    });
    expect(headers.authorization).toMatch(
      new RegExp(String.raw`^AWS4-HMAC-SHA256 Credential=LAMBDA/\d{8}/${REGION}/ssm/aws4_request, SignedHeaders=\S+`),
    );
    expect(headers.authorization).toMatch(/SignedHeaders=content-type;host;\S*x-amz-target, /);
  });

  test('has an endpoint of its own is called there', async () => {
    responses = [[200, { Command: { CommandId: 'command' } }]];
    process.env.AWS_ENDPOINT_URL_SSM = process.env.AWS_ENDPOINT_URL;
    process.env.AWS_ENDPOINT_URL = 'http://127.0.0.1:1';
    try {
      await expect(send()).resolves.toBe('command');
    } finally {
      delete process.env.AWS_ENDPOINT_URL_SSM;
    }
  });

  test.each<[string, Response]>([
    ['knows the command not yet', failure(400, 'InvocationDoesNotExist')],
    ...['Pending', 'InProgress', 'Delayed', 'Cancelling'].map((status): [string, Response] => [
      `says ${status}`,
      invocation(status),
    ]),
    ['has half of the output', invocation('InProgress', '{"ok":true')],
  ])('%s is asked again later', async (_, response) => {
    responses = [response];
    await expect(read()).resolves.toBeUndefined();
    expect(received).toMatchObject([
      {
        headers: { 'x-amz-target': 'AmazonSSM.GetCommandInvocation' },
        input: { CommandId: 'command', InstanceId: HOST },
      },
    ]);
  });

  test.each<[string, Response, string]>([
    ['what has succeeded', invocation('Success', '{"ok":true}\n'), '{"ok":true}\n'],
    ['what has succeeded and printed nothing', invocation('Success'), ''],
    ['why it failed', invocation('Failed', '{"ok":false,"why":"no room"}\n'), '{"ok":false,"why":"no room"}\n'],
    ['what was printed before it timed out', invocation('TimedOut', 'half'), 'half'],
    ['a service without output', [200, { Status: 'Success' }], ''],
  ])('has %s gives it', async (_, response, output) => {
    responses = [response];
    await expect(read()).resolves.toBe(output);
  });

  test.each([
    ['TimedOut', 'Delivery Timed Out'],
    ['TimedOut', 'Execution Timed Out'],
    ['Failed', 'Undeliverable'],
    ['Failed', 'Terminated'],
    ['Cancelled', 'Cancelled'],
    ['Failed', 'Failed'],
  ])('says %s, %s, without output is an error with the host', async (status, details) => {
    responses = [invocation(status, '', details)];
    await expect(read()).rejects.toThrow(`the command must run on ${HOST}, got ${details}: is its agent online?`);
  });

  test.each<[string, Response]>([
    ['throttles', THROTTLED],
    ['throttles with a status of its own', [429, '']],
    ['fails', failure(500, 'InternalServerError')],
    ['is away for a moment', [503, '<html>busy</html>']],
    ['cuts the connection', [0, '']],
    ['responds with half a body', [200, '{"Command":']],
  ])('%s is called again, three times at most', async (_, response) => {
    responses = [response, response, [200, { Command: { CommandId: 'command' } }]];
    await expect(send()).resolves.toBe('command');
    expect(received).toHaveLength(3);
    responses = [response];
    await expect(send()).rejects.toThrow(/^Systems Manager must respond to SendCommand, got /);
    expect(received).toHaveLength(6);
  });

  test.each<[string, Response, string]>([
    ['denies the call', DENIED, 'got 400 {"__type":"AccessDeniedException"'],
    ['has no such host', failure(400, 'InvalidInstanceId', 'not in a valid state'), 'InvalidInstanceId'],
    ['has no such document', failure(400, 'InvalidDocument', 'does not exist'), 'InvalidDocument'],
    ['allows other parameters', failure(400, 'InvalidParameters', 'Parameter "copy"'), 'InvalidParameters'],
  ])('%s is called once, and the error says why', async (_, response, why) => {
    responses = [response];
    const error = (await send().catch((caught: unknown) => caught)) as Error;
    expect(error.message).toMatch(/^Systems Manager must respond to SendCommand, got 400 /);
    expect(error.message).toContain(why);
    expect(error.message).not.toContain('\n');
    expect(received).toHaveLength(1);
  });

  test('denies the result is an error, and no command that has not ended', async () => {
    responses = [DENIED];
    await expect(read()).rejects.toThrow(
      /^Systems Manager must respond to GetCommandInvocation, got 400 .*AccessDenied/,
    );
  });

  test('responds without a command is an error', async () => {
    responses = [[200, {}]];
    await expect(send()).rejects.toThrow('Systems Manager must respond with a command, got none');
  });
});

test('a service that is away is an error with its name', async () => {
  callEndpoint('http://127.0.0.1:1');
  await expect(send()).rejects.toThrow(/^Systems Manager must respond to SendCommand, got /);
});

describe('at the endpoint of a rehearsal', () => {
  /** In place of the parts: what it is called with, and what it prints. */
  const SCRIPT = `
if [ "$ACTION" = end ]; then exit 3; fi
if [ "$ACTION" = discard ]; then printf '{"ok":false,"why":"no room"}\\n'; exit 1; fi
printf '{"ok":true,"bytes":%s}\\n' "$EPOCH"
printf '%s %s %s %s' "$SIDE" "$COPY" "$UNTIL" "$PID_FILE" >&2`;
  let cloud: LocalCloud;
  let commands: LocalCommands;
  beforeAll(async () => {
    const host = (side: string) => ({ pidFile: `/run/${side}.pid`, start: 'true' });
    const hosts = {
      engine: 'criu',
      engineCommand: 'criu',
      folder: '/none',
      source: host('source'),
      target: host('target'),
    };
    const document = renderCheckpointDocument(hosts as Parameters<typeof renderCheckpointDocument>[0], SCRIPT);
    commands = new LocalCommands(new Map([['Hosts', document as CommandDocument]]), [HOST]);
    cloud = await startLocalCloud({ hosts: { commands, isFree: true } });
  });
  beforeEach(() => callEndpoint(cloud.url));
  afterAll(async () => {
    await commands.stop();
    await cloud.stop();
  });

  const follow = async (id: string) => {
    let output: string | undefined;
    await until(async () => (output = await read(id)) !== undefined);
    return output;
  };

  test('a command runs, and its output comes back', async () => {
    await expect(follow(await send())).resolves.toBe('{"ok":true,"bytes":7}\n');
    await expect(follow(await send({ action: 'discard' }))).resolves.toBe('{"ok":false,"why":"no room"}\n');
    const failed = await send({ action: 'end' });
    await expect(follow(failed)).rejects.toThrow(`the command must run on ${HOST}, got Failed`);
    await expect(read('another')).resolves.toBeUndefined();
  });

  test('what a document does not allow never reaches a shell', async () => {
    await expect(send({ copy: "'; touch /tmp/x; '" })).rejects.toThrow('InvalidParameters');
    await expect(send({ epoch: -1 })).rejects.toThrow('InvalidParameters');
    await expect(send({ documentName: 'Other' })).rejects.toThrow('InvalidDocument');
    await expect(send({ instanceId: 'i-00000000' })).rejects.toThrow('InvalidInstanceId');
  });

  test('where it throttles, the call is made again', async () => {
    cloud.endpoint.faults.set({ action: 'SendCommand' }, { kind: 'throttle' }, { times: 2 });
    await expect(follow(await send())).resolves.toBe('{"ok":true,"bytes":7}\n');
  });

  awsCliTest('the AWS CLI sends the same command, and reads the same', async () => {
    const env = { ...process.env, AWS_DEFAULT_REGION: REGION, AWS_PAGER: '' };
    const aws = async (...args: string[]) =>
      JSON.parse((await promisify(execFile)('aws', ['ssm', ...args, '--output', 'json'], { env })).stdout) as object;
    const document = ['--document-name', 'Hosts', '--instance-ids', HOST];
    const parameters = 'action=dump,side=target,copy=c,epoch=9,until=5';
    const { Command } = (await aws('send-command', ...document, '--parameters', parameters)) as {
      Command: { CommandId: string };
    };
    expect(Command).toMatchObject({ DocumentName: 'Hosts', InstanceIds: [HOST], Parameters: { epoch: ['9'] } });
    await expect(follow(Command.CommandId)).resolves.toBe('{"ok":true,"bytes":9}\n');
    const named = ['--command-id', Command.CommandId, '--instance-id', HOST];
    await expect(aws('get-command-invocation', ...named)).resolves.toMatchObject({
      ...{ Status: 'Success', ResponseCode: 0, StandardOutputContent: '{"ok":true,"bytes":9}\n' },
      StandardErrorContent: 'target c 5 /run/target.pid',
    });
    // The command of the docs.
    await aws('send-command', ...document, '--parameters', 'action=end,side=source');
    await expect(aws('send-command', ...document, '--parameters', 'action=none,side=source')).rejects.toThrow(
      '(InvalidParameters)',
    );
    await expect(aws('get-command-invocation', ...named.slice(0, 3), 'i-00000000')).rejects.toThrow(
      '(InvocationDoesNotExist)',
    );
  });
});

const HAS_MOTO = spawnSync('python3', ['-c', 'import moto.server']).status === 0;
if (!HAS_MOTO)
  process.stderr.write("skipped: Systems Manager of moto, which is not installed: pip install 'moto[server]'\n");

(HAS_MOTO ? test : test.skip)('at moto a command is sent and read', async () => {
  const script = [
    'from moto.server import ThreadedMotoServer',
    "server = ThreadedMotoServer(ip_address='127.0.0.1', port=0)",
    'server.start()',
    'print(f"port {server.get_host_and_port()[1]}", flush=True)',
    'import sys; sys.stdin.read()',
  ];
  const moto = spawn('python3', ['-c', script.join('\n')], { stdio: ['pipe', 'pipe', 'ignore'] });
  try {
    let port: string | undefined;
    for await (const line of createInterface(moto.stdout)) if ((port = /^port (\d+)$/.exec(line)?.[1])) break;
    callEndpoint(`http://127.0.0.1:${port}`);
    // It runs nothing: each command has succeeded.
    await expect(read(await send())).resolves.toBe('');
    await expect(
      send({ instanceId: HOST }).then((id) => hostsPort().read({ instanceId: 'i-1' }, id, LIMIT_MS)),
    ).resolves.toBeUndefined();
  } finally {
    moto.stdin.end();
    moto.kill('SIGTERM');
    await once(moto, 'close');
  }
});
