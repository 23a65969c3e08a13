import { CfnParameter, Duration } from 'aws-cdk-lib';
import { Vpc } from 'aws-cdk-lib/aws-ec2';
import { Cluster } from 'aws-cdk-lib/aws-ecs';
import { hideCredentials } from '../../../core/text/credentials';
import { AdminSecret, Cutover, MigrationProps, MigrationSide, ProxyService, StickyTargetGroup } from '../../../lib';
import { checkUpstreamUrl } from '../../../lib/validation/validation';
import { newLoadBalancer, newMigration, newStack } from '../fixture';

function migrate(props: Partial<MigrationProps>): () => void {
  return () => void newMigration(newStack(), props);
}

test.each([
  [{ source: 1000, target: 0 }, "'initialWeights.source' must be an integer from 0 to 999, got 1000"],
  [{ source: 100, target: -1 }, "'initialWeights.target' must be an integer from 0 to 999, got -1"],
  [{ source: 99.5, target: 0.5 }, "'initialWeights.source' must be an integer from 0 to 999, got 99.5"],
  [{ source: 0, target: 0 }, "'initialWeights' must be weights of which at least one is above 0, got 0/0"],
])('weights %j', (initialWeights, message) => {
  expect(migrate({ initialWeights })).toThrow(message);
});

test.each([
  [Duration.days(8), "'sideStickiness' must be from 1 second to 7 days, got 8 days"],
  [Duration.seconds(0), "'sideStickiness' must be from 1 second to 7 days, got 0 seconds"],
])('stickiness to a side of %s', (sideStickiness, message) => {
  expect(migrate({ sideStickiness })).toThrow(message);
});

const checkUpstream = (url: string) => () => checkUpstreamUrl('upstreamUrl', url);

test.each([
  'old.internal',
  'ftp://old.internal',
  'http://old.internal//',
  'http://a..b',
  'http://-a-',
  'http://a.-b',
  'http://old.internal/?',
  'http:\\\\old.internal',
  ' http://old.internal',
  'http://old.internal/path',
  'http://user:secret@old.internal',
  'http://old.internal:99999',
  'http://old.internal:0',
  'http://old.internal?query',
])('upstream %s', (url) => {
  expect(checkUpstream(url)).toThrow(
    `'upstreamUrl' must be http(s)://host[:port] without a path, got ${hideCredentials(url)}`,
  );
});

test.each([
  'http://10.0.0.1:8080',
  'https://new.internal',
  'http://[2001:db8::1]:80',
  'http://old.internal/',
  'http://old_one.internal:8080/',
  'HTTPS://Old.Internal',
  'http://old.internal.:80',
])('upstream %s is accepted', (url) => expect(checkUpstream(url)).not.toThrow());

describe('an upstream of which a part is known only at deployment', () => {
  const later = new CfnParameter(newStack(), 'Later').valueAsString;
  test.each([
    later,
    `http://${later}`,
    `https://search.${later}`,
    `http://${later}:8080`,
    `http://old.internal:${later}`,
    `${later}://old.internal`,
    `http://${later}/`,
    `https://search.${later}:${later}/`,
  ])('%# is accepted', (url) => {
    expect(checkUpstream(url)).not.toThrow();
  });

  test.each([
    `http://${later}//`,
    `http://a..${later}`,
    `http://${later}/path`,
    `ftp://${later}`,
    `http://user@${later}`,
  ])('%# is rejected for what is known now', (url) => {
    expect(checkUpstream(url)).toThrow(
      `'upstreamUrl' must be http(s)://host[:port] without a path, got ${hideCredentials(url)}`,
    );
  });
});

test.each(['*.example.com', 'https://shop.example.com', ''])("domain name '%s'", (domainName) => {
  expect(migrate({ domainName })).toThrow(`'domainName' must be a host name without a wildcard, got ${domainName}`);
});

test('proxies in two clusters', () => {
  const stack = newStack();
  const loadBalancer = newLoadBalancer(stack);
  const vpc = stack.node.findChild('Vpc') as Vpc;
  const { secret: adminSecret } = new AdminSecret(stack, 'AdminSecret');
  const proxies = (side: MigrationSide, targetGroup: StickyTargetGroup) =>
    new ProxyService(stack, side, {
      cluster: new Cluster(stack, `Cluster-${side}`, { vpc }),
      side,
      targetGroup,
      adminSecret,
      upstreamUrl: 'http://old.internal',
    });
  const source = proxies(MigrationSide.SOURCE, loadBalancer.sourceGroup);
  const target = proxies(MigrationSide.TARGET, loadBalancer.targetGroup);
  const props = { vpc, loadBalancer, source, target, adminSecret, domainName: 'shop.example.com' };
  expect(() => new Cutover(stack, 'Cutover', props)).toThrow(
    "'target.cluster' must be the cluster of the source, got Test/Cluster-target",
  );
});

test('what is known only at deployment passes', () => {
  const stack = newStack();
  const text = (id: string) => new CfnParameter(stack, id).valueAsString;
  const number = new CfnParameter(stack, 'Number', { type: 'Number' }).valueAsNumber;
  expect(() =>
    newMigration(stack, {
      domainName: text('Domain'),
      source: { upstreamUrl: text('Source'), minTasks: number },
      initialWeights: { source: number, target: 0 },
      sideStickiness: Duration.seconds(number),
    }),
  ).not.toThrow();
});
