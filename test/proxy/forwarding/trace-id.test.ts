import type { RequestHead } from '../../../proxy/data-plane/contract/data-plane';
import { Forwarding, forwardingFields } from '../../../proxy/forwarding/forwarding';
import { LoopGuard } from '../../../proxy/forwarding/loop-guard';
import { TraceIds } from '../../../proxy/forwarding/trace-ids';
import { Mirrored, mirror } from '../support/mirror';
import { startTestProxy } from '../support/proxy-world';
import { get, startBackend, stopAll } from '../support/world';

afterEach(stopAll);

const FORM = /^Root=1-([0-9a-f]{8})-([0-9a-f]{24})$/;

test('no two are the same, however many there are in a second', () => {
  const ids = [new TraceIds(), new TraceIds()];
  const made = new Set<string>();
  for (let n = 0; n < 10_000; n += 1) for (const source of ids) made.add(source.next(1_000 + n / 100));
  expect(made.size).toBe(20_000);
  for (const id of made) expect(id).toMatch(FORM);
});

test('the time in it is the time of the request', () => {
  const nowMs = performance.now();
  const seconds = parseInt(FORM.exec(new TraceIds().next(nowMs))?.[1] ?? '', 16);
  expect(Math.abs(seconds - (performance.timeOrigin + nowMs) / 1000)).toBeLessThanOrEqual(1);
});

test('one that is there passes as it is, traceparent too; where there is none the backend gets one', async () => {
  const backend = await startBackend(mirror);
  const proxy = await startTestProxy(backend.port);
  const { port } = proxy.data;
  const seen = async (headers: Record<string, string>) =>
    (JSON.parse((await get({ port, headers })).body) as Mirrored).headers;
  const parent = '00-0af7651916cd43dd8448eb211c80319c-b7ad6b7169203331-01';
  const sent = {
    'x-amzn-trace-id': 'Self=1-a;Root=1-67891233-abcdef012345678912345678;Sampled=1',
    traceparent: parent,
  };
  expect(await seen(sent)).toMatchObject(sent);
  expect((await seen({}))['x-amzn-trace-id']).toMatch(FORM);
});

const FORWARDING: Forwarding = {
  port: '8443',
  traceIds: new TraceIds(),
  forwardedFor: 'append',
  loopGuard: new LoopGuard('a-name'),
};

test('what a load balancer said of its client stays, and only its own address is added', () => {
  const fields: Record<string, string> = {
    'x-forwarded-for': '203.0.113.7',
    'x-forwarded-proto': 'https',
    'x-forwarded-port': '443',
    'x-amzn-trace-id': 'Root=1-a-b',
  };
  expect(forwardingFields(head(fields), FORWARDING, 0)).toEqual({
    via: '1.1 a-name',
    'x-forwarded-for': '203.0.113.7, 10.0.0.1',
  });
  expect(forwardingFields(head(fields), { ...FORWARDING, forwardedFor: 'preserve' }, 0)).toEqual({ via: '1.1 a-name' });
  expect(forwardingFields(head({}), FORWARDING, 0)).toEqual({
    via: '1.1 a-name',
    'x-forwarded-for': '10.0.0.1',
    'x-forwarded-proto': 'http',
    'x-forwarded-port': '8443',
    'x-amzn-trace-id': expect.stringMatching(FORM) as string,
  });
});

function head(fields: Readonly<Record<string, string>>): RequestHead {
  return {
    field: (name) => fields[name],
    method: 'GET',
    url: '/',
    httpVersion: '1.1',
    headers: fields,
    client: { address: '10.0.0.1', port: 1 },
    isTls: false,
    isUpgrade: false,
  };
}
