import { Duration, Size } from 'aws-cdk-lib';
import { Match, Template } from 'aws-cdk-lib/assertions';
import { MirroredMethods, TrafficMirror } from '../../../lib/proxy/traffic-mirror';
import { newStack } from '../fixture';
import { buildEnvironment, newProxies } from './proxy-fixture';

function synthesize(mirror: TrafficMirror): Template {
  const stack = newStack();
  newProxies(stack, { mirror });
  return Template.fromStack(stack);
}

function findSettings(template: Template): Record<string, unknown> {
  const all = Object.entries(buildEnvironment(template));
  return Object.fromEntries(all.filter(([name]) => name.startsWith('DRAINSHIFT_MIRROR')));
}

test('default: the URL is a setting, and the proxies may reach its port', () => {
  const template = synthesize({ url: 'http://new.internal:8765' });
  expect(findSettings(template)).toEqual({ DRAINSHIFT_MIRROR_URL: 'http://new.internal:8765' });
  template.hasResourceProperties('AWS::EC2::SecurityGroup', {
    SecurityGroupEgress: Match.arrayWith([Match.objectLike({ FromPort: 8765, ToPort: 8765 })]),
  });
});

test('custom: each option is a setting', () => {
  const template = synthesize({
    url: 'https://new.internal',
    sharePercent: 2.5,
    methods: MirroredMethods.ALL,
    paths: ['/api/*'],
    never: ['/api/private*', 'X-Test'],
    repeatSharePercent: 0,
    ignore: ['header.ETag', 'GET /items/{id} body.price'],
    maxConcurrency: 8,
    timeout: Duration.seconds(2),
    maxBodySize: Size.mebibytes(1),
  });
  expect(findSettings(template)).toEqual({
    DRAINSHIFT_MIRROR_URL: 'https://new.internal',
    DRAINSHIFT_MIRROR_SHARE: '2.5',
    DRAINSHIFT_MIRROR_METHODS: 'all',
    DRAINSHIFT_MIRROR_PATHS: '/api/*',
    DRAINSHIFT_MIRROR_NEVER: '/api/private*,X-Test',
    DRAINSHIFT_MIRROR_REPEAT_SHARE: '0',
    DRAINSHIFT_MIRROR_IGNORE: 'header.ETag,GET /items/{id} body.price',
    DRAINSHIFT_MIRROR_CONCURRENCY: '8',
    DRAINSHIFT_MIRROR_TIMEOUT_SECONDS: '2',
    DRAINSHIFT_MIRROR_BODY_BYTES: '1048576',
  });
});

const url = 'http://new.internal:8080';

test.each<[TrafficMirror, string]>([
  [{ url: 'new.internal' }, "'mirror.url' must be http(s)://host[:port] without a path, got new.internal"],
  [{ url, sharePercent: 101 }, "'mirror.sharePercent' must be a number from 0 to 100, got 101"],
  [{ url, repeatSharePercent: -1 }, "'mirror.repeatSharePercent' must be a number from 0 to 100, got -1"],
  [{ url, paths: ['a b'] }, "'mirror.paths[0]' must be"],
  [{ url, ignore: ['a,b'] }, "'mirror.ignore[0]' must be"],
  [{ url, maxConcurrency: 0 }, "'mirror.maxConcurrency' must be an integer from 1 to 1000, got 0"],
  [{ url, timeout: Duration.minutes(2) }, "'mirror.timeout' must be"],
  [{ url, maxBodySize: Size.mebibytes(17) }, "'mirror.maxBodySize' must be at most 16 MiB"],
])('%o is rejected', (mirror, problem) => {
  expect(() => synthesize(mirror)).toThrow(problem);
});

test('the backend of the proxies is no target', () => {
  const stack = newStack();
  const proxies = { upstreamUrl: 'http://old.internal:8080', mirror: { url: 'http://OLD.internal:8080' } };
  expect(() => newProxies(stack, proxies)).toThrow("'mirror.url' must be another address than 'upstreamUrl'");
});
