import type { ServiceSpec } from '../../../rehearsal/tasks/runner';
import { pointAt } from '../../../rehearsal/tasks/point-at';

const upstreams = { source: 'http://127.0.0.1:1', target: 'http://127.0.0.1:2' };

function environmentOf(own: Record<string, string>, captureStore?: string): Record<string, string> {
  const environment = { DRAINSHIFT_SIDE: 'source', DRAINSHIFT_UPSTREAM: 'http://old.internal', ...own };
  const service = { name: 'source', container: { environment } } as unknown as ServiceSpec;
  return { ...pointAt(service, { upstreams, captureStore }).container.environment };
}

test('proxies of a template that logs in to its brokers record without a login to a broker of the rehearsal', () => {
  const own = { DRAINSHIFT_CAPTURE: 'kafka+scram://b-1:9096/topic', DRAINSHIFT_CAPTURE_USER: 'proxy' };
  const store = 'kafka://127.0.0.1:9/topic';
  expect(environmentOf(own, store)).toEqual({
    ...{ DRAINSHIFT_SIDE: 'source', DRAINSHIFT_UPSTREAM: upstreams.source, DRAINSHIFT_CAPTURE: store },
  });
  expect(environmentOf(own)).toMatchObject(own);
  // What records nothing does not begin to.
  expect(environmentOf({}, store)).not.toHaveProperty('DRAINSHIFT_CAPTURE');
});
