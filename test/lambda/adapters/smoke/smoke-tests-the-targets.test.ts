import http, { IncomingMessage, ServerResponse } from 'node:http';
import http2 from 'node:http2';
import https from 'node:https';
import type { AddressInfo, Server } from 'node:net';
import { generate } from 'selfsigned';
import type { ProofOrder } from '../../../../core/cutover/proof';
import { SmokeSample } from '../../../../core/plan/smoke';
import { smokePort } from '../../../../lambda/adapters/smoke/smoke';
import type { ProofPorts } from '../../../../lambda/contract/proof-ports';
import { withTimeLeft } from '../../../../lambda/contract/time-left';
import { prove } from '../../../../lambda/resources/proof/prove';
import { ARNS, LocalCloud, startLocalCloud } from '../../../rehearsal/aws/world';
import { callEndpoint } from '../world';

const EVERY: SmokeSample = { quorum: 'every', maxAtOnce: 50 };
const HALF: SmokeSample = { ...EVERY, quorum: 'half' };
const REQUEST = { path: '/shop?a=b', expectedStatus: 200 };

const servers: Server[] = [];
let cloud: LocalCloud;
let pair: { key: string; cert: string };
beforeAll(async () => {
  // As a proxy makes one when it starts: of no name that anybody asks for, and signed by no one.
  const { cert, private: key } = await generate([{ name: 'commonName', value: 'proxy' }], { keyType: 'ec' });
  pair = { cert, key };
});
beforeEach(async () => {
  cloud = await startLocalCloud();
  callEndpoint(cloud.url);
  for (const group of groups()) group.targets.clear();
});
afterEach(async () => {
  for (const server of servers.splice(0)) server.close();
  await cloud.stop();
});

const groups = () => [ARNS.source, ARNS.target].map((arn) => cloud.elbModel.targetGroup(arn));

const port = () =>
  smokePort({
    loadBalancerArn: 'arn:of-none-that-may-be-asked',
    smokeListenerArns: { source: 'arn:none', target: 'arn:none' },
    targetGroupArns: { source: ARNS.source, target: ARNS.target },
    domainName: 'shop.example.com',
    smokeRoute: 'targets',
  });

type State = 'healthy' | 'unhealthy' | 'draining';

/** A target of the source's group at a port of its own. @returns its address */
async function addTarget(server: Server, state: State = 'healthy'): Promise<string> {
  servers.push(server);
  await new Promise<void>((resolve) => server.listen(0, '127.0.0.1', resolve));
  const { port: at } = server.address() as AddressInfo;
  const id = '127.0.0.1';
  cloud.elbModel.targetGroup(ARNS.source).targets.set(`${id}:${at}`, { id, port: at, state, outstanding: 0 });
  return `${id}:${at}`;
}

/** A proxy whose backend returns this status; it writes down what it was asked. */
function proxy(status: number, asked: IncomingMessage[] = []): Server {
  return https.createServer(pair, (request: IncomingMessage, response: ServerResponse) => {
    asked.push(request);
    response.writeHead(status).end();
  });
}

test('every healthy target is asked as the load balancer would, and no other', async () => {
  const [first, second, others] = [[], [], []] as IncomingMessage[][];
  await addTarget(proxy(200, first));
  await addTarget(proxy(200, second));
  await addTarget(proxy(502, others), 'unhealthy');
  await addTarget(proxy(502, others), 'draining');
  expect(await port().probe('source', REQUEST, EVERY)).toEqual({ got: 200, attempts: 2 });
  expect([first?.length, second?.length, others?.length]).toEqual([1, 1, 0]);
  const [request] = first ?? [];
  expect([request?.method, request?.url, request?.headers]).toEqual([
    'GET',
    '/shop?a=b',
    {
      host: 'shop.example.com',
      'user-agent': 'drainshift-smoke',
      'x-forwarded-proto': 'https',
      'x-forwarded-port': '443',
      connection: expect.anything() as string,
    },
  ]);
  expect(cloud.calls.map(({ action }) => action).sort()).toEqual(['DescribeTargetGroups', 'DescribeTargetHealth']);
});

test('before anything moves one target that fails is enough, and it is named', async () => {
  await addTarget(proxy(200));
  const bad = await addTarget(proxy(502));
  expect(await port().probe('source', REQUEST, EVERY)).toEqual({
    got: 502,
    from: `${bad}, 1 of 2 targets`,
    attempts: 4,
  });
});

test('later half of them must respond: one that has just died decides nothing, two of three do', async () => {
  await addTarget(proxy(200));
  const gone = await addTarget(proxy(200));
  servers.at(-1)!.close();
  const smoke = port();
  expect(await smoke.probe('source', REQUEST, HALF)).toMatchObject({ got: 200 });
  expect(await smoke.probe('source', REQUEST, EVERY)).toMatchObject({
    got: expect.stringContaining('ECONNREFUSED') as string,
    from: `${gone}, 1 of 2 targets`,
  });
  await addTarget(proxy(503));
  expect((await port().probe('source', REQUEST, HALF)).from).toMatch(/, 2 of 3 targets$/);
});

test('a response that comes at a second attempt counts', async () => {
  let asked = 0;
  await addTarget(
    https.createServer(pair, (_, response) => {
      asked += 1;
      response.writeHead(asked === 1 ? 503 : 200).end();
    }),
  );
  expect(await port().probe('source', REQUEST, EVERY)).toEqual({ got: 200, attempts: 2 });
});

test('of more targets than are asked at a time each has its turn once half of them must respond', async () => {
  const asked: IncomingMessage[][] = [[], [], []];
  for (const list of asked) await addTarget(proxy(200, list));
  const smoke = port();
  while (asked.some(({ length }) => length === 0)) {
    expect((await smoke.probe('source', REQUEST, { quorum: 'half', maxAtOnce: 1 })).got).toBe(200);
  }
});

describe('where every target must respond', () => {
  /** Five of them, the last of which does not respond to this path as the others do. */
  async function addFive(badPath: string): Promise<{ most: number; asked: number; bad: string }> {
    const seen = { most: 0, asked: 0, bad: '' };
    let now = 0;
    for (const isBad of [false, false, false, false, true]) {
      const server = https.createServer(pair, (request, response) => {
        seen.asked += 1;
        seen.most = Math.max(seen.most, (now += 1));
        setImmediate(() => {
          now -= 1;
          response.writeHead(isBad && request.url === badPath ? 502 : 200).end();
        });
      });
      seen.bad = await addTarget(server);
    }
    return seen;
  }

  test('all are asked, so many at a time', async () => {
    const seen = await addFive(REQUEST.path);
    expect(await port().probe('source', { ...REQUEST, path: '/other' }, { quorum: 'every', maxAtOnce: 2 })).toEqual({
      got: 200,
      attempts: 5,
    });
    expect(seen.most).toBeLessThanOrEqual(2);
    expect(await port().probe('source', REQUEST, { quorum: 'every', maxAtOnce: 2 })).toMatchObject({
      got: 502,
      from: `${seen.bad}, 1 of 5 targets`,
    });
  });

  test('those that there was no time for speak against the side, and their number is reported', async () => {
    const seen = await addFive('/other');
    const probe = () => port().probe('source', REQUEST, { quorum: 'every', maxAtOnce: 1 });
    // Three of them take all of the step's time.
    expect(await withTimeLeft(() => (seen.asked < 3 ? 60_000 : 0), probe)).toEqual({
      got: 'no response of 2 of 5 targets: there was no time to ask them',
      attempts: 3,
    });
  });

  test('a proof finds the one that does not, however many paths the plan has', async () => {
    const smoke = Array.from({ length: 26 }, (_, index) => ({ path: `/${index}`, expectedStatus: 200 }));
    const { bad } = await addFive('/7');
    const order = { smoke, minTasks: { source: 5, target: 5 } } as unknown as ProofOrder;
    const ports = { smoke: port(), healthyTargets: async () => 5 } as unknown as ProofPorts;
    expect((await prove('source', order, ports)).map(({ message }) => message)).toEqual([
      `GET /7 on the source must respond with 200, got 502 (${bad}, 1 of 5 targets)`,
    ]);
  });
});

test('requests of one poll look the targets up once; a lookup that failed is made again', async () => {
  await addTarget(proxy(200));
  const smoke = port();
  cloud.endpoint.faults.set({ action: 'DescribeTargetHealth' }, { kind: 'status', status: 403 }, { times: 1 });
  await expect(smoke.probe('source', REQUEST, EVERY)).rejects.toThrow(/DescribeTargetHealth/);
  await Promise.all([1, 2, 3].map(() => smoke.probe('source', REQUEST, EVERY)));
  expect(cloud.calls.filter(({ action }) => action === 'DescribeTargetHealth')).toHaveLength(2);
});

test('a side without a healthy target is said to have none; targets without addresses cannot be asked', async () => {
  await addTarget(proxy(200), 'unhealthy');
  expect(await port().probe('source', REQUEST, HALF)).toEqual({ got: 'no healthy target', attempts: 0 });
  cloud.elbModel
    .targetGroup(ARNS.target)
    .targets.set('i-1:8443', { id: 'i-1', port: 8443, state: 'healthy', outstanding: 0 });
  await expect(port().probe('target', REQUEST, HALF)).rejects.toThrow(/must be addresses .*, got 'i-1'/);
});

test('no one has to be trusted', async () => {
  await expect(port().checkTrust()).resolves.toBeUndefined();
});

describe('in the version and protocol of the group', () => {
  const speaks = (over: { protocol?: string; protocolVersion?: string }) =>
    Object.assign(cloud.elbModel.targetGroup(ARNS.source), over);
  type Exchange = http2.Http2ServerRequest & { readonly authority: string };
  const asked: string[] = [];
  const respond = (request: http2.Http2ServerRequest, response: http2.Http2ServerResponse) => {
    const { httpVersion, method, authority, headers } = request as Exchange;
    asked.push(`${method} ${httpVersion} ${authority} ${headers['x-forwarded-proto'] as string}`);
    request.resume().on('end', () => {
      response.writeHead(200, { 'content-type': 'application/grpc' });
      if (method === 'POST') response.addTrailers({ 'grpc-status': '0' });
      response.end();
    });
  };
  beforeEach(() => void asked.splice(0));

  test.each([
    ['HTTPS', 'HTTP2', 'GET'],
    ['HTTPS', 'GRPC', 'POST'],
    ['HTTP', 'HTTP2', 'GET'],
    ['HTTP', 'GRPC', 'POST'],
  ])('%s and %s', async (protocol, protocolVersion, method) => {
    await addTarget(protocol === 'HTTPS' ? http2.createSecureServer(pair, respond) : http2.createServer(respond));
    speaks({ protocol, protocolVersion });
    expect(await port().probe('source', { ...REQUEST, path: '/shop.Cart/Count' }, EVERY)).toEqual({
      got: 200,
      attempts: 1,
    });
    expect(asked).toEqual([`${method} 2.0 shop.example.com https`]);
  });

  test('HTTP and HTTP1', async () => {
    await addTarget(http.createServer((_, response) => response.writeHead(204).end()));
    speaks({ protocol: 'HTTP' });
    expect(await port().probe('source', { ...REQUEST, expectedStatus: 204 }, EVERY)).toEqual({ got: 204, attempts: 1 });
  });

  test('a target that speaks HTTP/1.1 alone is said to be one', async () => {
    await addTarget(proxy(200));
    speaks({ protocolVersion: 'HTTP2' });
    expect((await port().probe('source', REQUEST, EVERY)).got).toBe('the target must speak HTTP/2, got HTTP/1.1 alone');
  });
});
