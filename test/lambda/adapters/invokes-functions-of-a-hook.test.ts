import { Server, createServer } from 'node:http';
import { AddressInfo } from 'node:net';
import { buffer } from 'node:stream/consumers';
import { functionsPort } from '../../../lambda/adapters/functions';
import { FunctionError } from '../../../rehearsal/functions/function';
import { ACCOUNT, LocalCloud, REGION, startLocalCloud } from '../../rehearsal/aws/world';

const ARN = `arn:aws:lambda:${REGION}:${ACCOUNT}:function:hook`;
const EVENT = { part: 'freeze', side: 'source', epoch: 7, from: 'source', to: 'target', execution: 'night' };

beforeEach(() => {
  Object.assign(process.env, { AWS_REGION: REGION, AWS_ACCESS_KEY_ID: 'LAMBDA', AWS_SECRET_ACCESS_KEY: 'none' });
});

describe('at the endpoint of a rehearsal', () => {
  let cloud: LocalCloud;
  const events: unknown[] = [];
  const functions: Record<string, () => Promise<unknown>> = {
    hook: () => Promise.resolve({ ok: true, epoch: 7 }),
    'hook:live': () => Promise.resolve({ ok: false, why: 'in use' }),
    nothing: () => Promise.resolve(undefined),
    throws: () => Promise.reject(new FunctionError('TypeError', { errorMessage: 'no\ndatabase' })),
  };

  beforeAll(async () => {
    cloud = await startLocalCloud({
      hasFunction: (arn) => arn.split(':function:')[1]! in functions,
      invoke: (arn, event) => {
        events.push(event);
        const run = functions[arn.split(':function:')[1]!];
        return run ? run() : Promise.reject(new Error('none'));
      },
    });
  });
  beforeEach(() => {
    process.env.AWS_ENDPOINT_URL = cloud.url;
  });
  afterAll(() => cloud.stop());

  test.each([
    ['a function', ARN, { ok: true, epoch: 7 }],
    ['an alias', `${ARN}:live`, { ok: false, why: 'in use' }],
    ['one that returns nothing', ARN.replace('hook', 'nothing'), null],
  ])('%s gets the event as it is, and its response comes back', async (_, arn, response) => {
    await expect(functionsPort().invoke(arn, EVENT, 5_000)).resolves.toEqual(response);
    expect(events.at(-1)).toEqual(EVENT);
  });

  test('a check calls no function', async () => {
    const before = events.length;
    await expect(functionsPort().check(ARN)).resolves.toBeUndefined();
    expect(events).toHaveLength(before);
    await expect(functionsPort().check(ARN.replace('hook', 'gone'))).rejects.toThrow(/404 ResourceNotFoundException/);
  });

  test.each([
    ['throws', /^'arn:\S+:throws' must respond, got .*TypeError.*no.*database/],
    ['gone', /^Lambda must respond to Invoke, got 404 ResourceNotFoundException: Function not found: arn:\S+:gone$/],
  ])('of the function %s the error says why', async (name, problem) => {
    await expect(functionsPort().invoke(ARN.replace('hook', name), EVENT, 5_000)).rejects.toThrow(problem);
  });
});

describe('at a service that', () => {
  interface Behaviour {
    readonly status?: number;
    readonly type?: string;
    readonly failure?: string;
    /** @default - no response at all */
    readonly body?: string;
  }
  let behaviour: Behaviour = {};
  let calls = 0;
  let server: Server;

  beforeAll(async () => {
    server = createServer((request, response) => {
      void buffer(request).then(() => {
        calls += 1;
        const { status = 200, type, failure, body } = behaviour;
        if (body === undefined) return;
        if (body === 'cut') return void request.socket.destroy();
        if (type) response.setHeader('x-amzn-errortype', type);
        if (failure) response.setHeader('x-amz-function-error', failure);
        response.writeHead(status, { 'content-type': 'application/json' }).end(body);
      });
    }).listen(0, '127.0.0.1');
    await new Promise((resolve) => server.once('listening', resolve));
  });
  beforeEach(() => {
    calls = 0;
    process.env.AWS_ENDPOINT_URL = `http://127.0.0.1:${(server.address() as AddressInfo).port}`;
  });
  afterAll(async () => {
    server.closeAllConnections();
    await new Promise((resolve) => server.close(resolve));
  });

  const throttled = { status: 429, type: 'TooManyRequestsException', body: '{"message":"Rate Exceeded."}' };
  const broken = { status: 502, type: 'InvalidRuntimeException', body: '{"message":"no runtime"}' };
  const denied = { status: 403, type: 'AccessDeniedException', body: '{"Message":"not authorized"}' };
  const timedOut = { failure: 'Unhandled', body: '{"errorMessage":"Task timed out after 3.00 seconds"}' };

  // Requests wait: what has failed is not asked again.
  test.each<[string, Behaviour, RegExp]>([
    ['throttles', throttled, /^Lambda must respond to Invoke, got 429 TooManyRequestsException Rate Exceeded\.$/],
    ['fails', broken, /^Lambda must respond to Invoke, got 502 InvalidRuntimeException no runtime$/],
    ['denies', denied, /^Lambda must respond to Invoke, got 403 AccessDeniedException: .*not authorized/],
    ['cuts the connection', { body: 'cut' }, /^Lambda must respond to Invoke, got /],
    ['responds with a page', { status: 503, body: '<html>busy</html>' }, /^Lambda must respond to Invoke, got 503/],
    ['says that the function timed out', timedOut, /^'arn:\S+:hook' must respond, got .*Task timed out after 3/],
  ])('%s is asked once, and the error says why', async (_, given, problem) => {
    behaviour = given;
    const error = (await functionsPort()
      .invoke(ARN, EVENT, 5_000)
      .catch((caught: unknown) => caught)) as Error;
    expect(error.message).toMatch(problem);
    expect(error.message).not.toContain('\n');
    expect(calls).toBe(1);
  });

  test('does not respond is given up after the limit of the part', async () => {
    behaviour = {};
    const problem = `'${ARN}' must respond within 0.1 s, got no response`;
    await expect(functionsPort().invoke(ARN, EVENT, 100)).rejects.toThrow(problem);
  });

  // The runtime of a function of one's own may respond with any bytes.
  test.each(['pong', '{"ok": true', '<html>'])(
    'responds with %s, which is no JSON, has its text passed on',
    async (body) => {
      behaviour = { body };
      await expect(functionsPort().invoke(ARN, EVENT, 5_000)).resolves.toBe(body);
    },
  );
});
