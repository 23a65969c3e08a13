import { mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { App, CfnParameter, LegacyStackSynthesizer, NestedStack, Stack, StackProps } from 'aws-cdk-lib';
import { Certificate } from 'aws-cdk-lib/aws-certificatemanager';
import { Vpc } from 'aws-cdk-lib/aws-ec2';
import { StringParameter } from 'aws-cdk-lib/aws-ssm';
import { Construct } from 'constructs';
import { Migration, MigrationProps } from '../../../../lib';
import { readAssembly } from '../../../../rehearsal/template/assembly/read';
import { readStackModel } from '../../../../rehearsal/template/model/stack-model';

const env = { account: '111122223333', region: 'eu-central-1' };
const folder = mkdtempSync(join(tmpdir(), 'drainshift-templates-'));
let app: App;
beforeAll(() => {
  // One assembly for all: a synthesis takes seconds.
  app = new App({ outdir: folder, analyticsReporting: false });
  const findStack = (name: string, props: StackProps = {}) => new Stack(app, name, { env, ...props });
  const inner = findStack('Outer');
  migration(new NestedStack(inner, 'Inner'), 'Migration', { vpc: new Vpc(inner, 'Vpc') });
  const two = findStack('Two');
  for (const id of ['Blue', 'Green']) migration(two, id, { domainName: `${id.toLowerCase()}.example.com` });
  const parameters = findStack('Parameters');
  const domain = new CfnParameter(parameters, 'Domain', { type: 'String' }).valueAsString;
  migration(parameters, 'Migration', { domainName: domain });
  const stored = findStack('Stored');
  migration(stored, 'Migration', { domainName: StringParameter.valueForStringParameter(stored, '/shop/domain') });
  const network = new Vpc(findStack('Network'), 'Vpc');
  migration(findStack('Crossing'), 'Migration', { vpc: network });
  migration(findStack('Legacy', { synthesizer: new LegacyStackSynthesizer() }), 'Migration');
  app.synth();
});
afterAll(() => rmSync(folder, { recursive: true, force: true }));

function migration(scope: Construct, id: string, props: Partial<MigrationProps> = {}): void {
  const arn = 'arn:aws:acm:eu-central-1:111122223333:certificate/1';
  new Migration(scope, id, {
    domainName: 'shop.example.com',
    certificate: Certificate.fromCertificateArn(scope, `${id}Certificate`, arn),
    source: { upstreamUrl: 'http://source.example.com' },
    target: { upstreamUrl: 'http://target.example.com' },
    ...props,
  });
}

const read = (
  stack: string,
  known: Parameters<typeof readStackModel>[2] = {},
  parameters: Record<string, string> = {},
) => readStackModel(readAssembly(folder, '--app', new Map(Object.entries(parameters))), stack, known);
const splitParts = ({ services, machines, elb, customResources, config }: ReturnType<typeof read>) => ({
  domainName: config.domainName,
  services: services.length,
  machines: machines.length,
  ports: [...elb.listeners.values()].map(({ templatePort }) => templatePort).sort(),
  hasRule: customResources.some(({ logicalId }) => logicalId.includes('Rule')),
});
const WHOLE = { domainName: 'shop.example.com', services: 2, machines: 1, ports: [443, 9201, 9202], hasRule: true };

test.each(['Outer', 'Crossing', 'Legacy'])('the migration of %s is read whole', (stack) => {
  expect(splitParts(read(stack))).toEqual(WHOLE);
});

test('a value of another stack is that of its export', () => {
  const { resources } = read('Crossing');
  const [group] = resources.ofType('AWS::ElasticLoadBalancingV2::TargetGroup');
  expect(group?.properties.string('VpcId')).toMatch(/^vpc-/);
});

test('of two migrations in a stack one is rehearsed, by its path', () => {
  for (const id of ['Blue', 'Green']) {
    const model = read('Two', { migration: id });
    expect(splitParts(model)).toEqual({ ...WHOLE, domainName: `${id.toLowerCase()}.example.com` });
    expect(model.machine.name).toContain(id);
  }
  expect(() => read('Two')).toThrow("'--migration' must be one of 'Blue', 'Green', got nothing");
  expect(() => read('Two', { migration: 'Red' })).toThrow("'--migration' must be one of 'Blue', 'Green', got 'Red'");
});

test('a value that no template reports is asked for by name', () => {
  expect(() => read('Parameters')).toThrow(
    "'--parameter' must give a value to 'Domain', a parameter of 'Parameters' without a default, got none: --parameter 'Domain=VALUE'",
  );
  expect(splitParts(read('Parameters', {}, { Domain: 'x.example.com' }))).toEqual({
    ...WHOLE,
    domainName: 'x.example.com',
  });
  expect(() => read('Stored')).toThrow(
    "'--parameter' must give a value to '/shop/domain', a parameter in SSM that 'Stored' reads",
  );
  const stored = read('Stored', {}, { '/shop/domain': 'y.example.com' });
  expect(splitParts(stored)).toEqual({ ...WHOLE, domainName: 'y.example.com' });
  expect(() => read('Parameters', {}, { Domaine: 'x' })).toThrow(
    "'--parameter' must name a parameter or an imported value, got 'Domaine'",
  );
});

test('a domain name may be given in place of the one of the template, and must be one', () => {
  const model = read('Crossing', { domain: 'z.example.com' });
  expect(model.config.domainName).toBe('z.example.com');
  const notified = model.functions.map(({ environment }) => environment.DRAINSHIFT_CUTOVER_CONFIG).filter(Boolean);
  expect(notified.every((text) => text?.includes('"domainName":"z.example.com"'))).toBe(true);
  const parameters = { Domain: 'dummy-value-for-/shop/domain' };
  expect(() => read('Parameters', {}, parameters)).toThrow("'--domain' must give the migration's host name");
  expect(read('Parameters', { domain: 'z.example.com' }, parameters).config.domainName).toBe('z.example.com');
});
