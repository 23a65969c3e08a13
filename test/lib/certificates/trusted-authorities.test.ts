import { mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { Template } from 'aws-cdk-lib/assertions';
import { Vpc } from 'aws-cdk-lib/aws-ec2';
import { ApplicationListener, ApplicationLoadBalancer, ListenerAction } from 'aws-cdk-lib/aws-elasticloadbalancingv2';
import { Secret } from 'aws-cdk-lib/aws-secretsmanager';
import { MigrationCertificate, TrustedAuthorities } from '../../../lib';
import { authority, Pair } from '../../proxy/support/authority';
import { certificateIn, newMigration, newStack, resolveText, resourceLike, listResources } from '../fixture';
import { findContainer, findTemplate } from '../proxy/proxy-fixture';

const SECRET = 'AWS::SecretsManager::Secret';
const SMOKING = [
  'Approve',
  'Bake',
  'Confirm',
  'Doctor',
  'Drain',
  'Hook',
  'Preflight',
  'Recover',
  'Rollback',
  'Shift',
  'Undrain',
  'Verify',
];
const ENVIRONMENT = 'DRAINSHIFT_UPSTREAM_AUTHORITIES';

let folder: string;
let file: string;
let pair: Pair;
beforeAll(async () => {
  folder = mkdtempSync(join(tmpdir(), 'drainshift-authorities-'));
  file = join(folder, 'company.pem');
  pair = await authority('The Company');
  writeFileSync(file, `# ours\n${pair.cert}`);
});
afterAll(() => rmSync(folder, { recursive: true }));

/** A migration that joins a listener of the stack, so that there is a proof, too. */
function synth(): Template {
  const stack = newStack();
  const vpc = new Vpc(stack, 'Vpc');
  const loadBalancer = new ApplicationLoadBalancer(stack, 'Own', { vpc });
  const listener = new ApplicationListener(stack, 'Listener', {
    loadBalancer,
    port: 443,
    certificates: [certificateIn(stack)],
    open: false,
    defaultAction: ListenerAction.fixedResponse(404),
  });
  const trustedAuthorities = new TrustedAuthorities(stack, 'Authorities', { file }).secret;
  const target = { upstreamUrl: 'https://new.internal', trustedAuthorities };
  newMigration(stack, { vpc, loadBalancer, listener, trustedAuthorities, target, monitoring: false });
  return Template.fromStack(stack);
}

test('steps that smoke-test, the proof and the proxies of the side read the secret, and no one else', () => {
  const template = synth();
  const [secret, { Properties: properties }] = resourceLike(template, SECRET, /^Authorities/);
  expect(properties.SecretString).toBe(`# ours\n${pair.cert}`);

  const readers = Object.entries(listResources(template, 'AWS::IAM::Policy'))
    .filter(([, { Properties }]) => JSON.stringify(Properties.PolicyDocument).includes(`"${secret}"`))
    .map(([id]) => /CutoverSteps([A-Z][a-z]+)Service|(AdoptionProof)|(Target)TaskDefinitionExecutionRole/.exec(id))
    .map((match) => match?.slice(1).find((name) => name !== undefined));
  expect(readers.sort()).toEqual([...SMOKING, 'AdoptionProof', 'Target'].sort());

  for (const [step, variable] of [
    ['Bake', 'DRAINSHIFT_CUTOVER_CONFIG'],
    ['AdoptionProof', 'DRAINSHIFT_PROOF'],
  ] as const) {
    const [, { Properties }] = resourceLike(template, 'AWS::Lambda::Function', new RegExp(`Cutover(Steps)?${step}`));
    const { Variables } = Properties.Environment as { Variables: Record<string, unknown> };
    expect(JSON.parse(resolveText(Variables[variable]))).toMatchObject({ trustedAuthoritiesArn: secret });
  }
});

test('a secret that is there already will do', () => {
  const stack = newStack();
  const trustedAuthorities = Secret.fromSecretNameV2(stack, 'Imported', 'company/authorities');
  const { Secrets } = findContainer(findTemplate({ upstreamUrl: 'https://new.internal', trustedAuthorities }));
  expect(Secrets.map(({ Name }) => Name)).toEqual(['DRAINSHIFT_ADMIN_SECRET', ENVIRONMENT]);
  expect(JSON.stringify(Secrets)).toContain(':secret:company/authorities');
});

test.each([
  ['a file that is not there', undefined, 'the path of a readable file'],
  ['a file that is none', 'no PEM', 'a PEM file with certificates'],
  ['a certificate that is cut off', '-----BEGIN CERTIFICATE-----\nMIIB', 'a PEM file with certificates'],
  ['a key beside the certificate', 'KEY', 'a PEM file without a private key'],
  ['more than a secret holds', ' '.repeat(65_537), 'a PEM file of at most 65536 bytes'],
])('refused: %s', (_, text, rule) => {
  const wrong = join(folder, 'wrong.pem');
  rmSync(wrong, { force: true });
  if (text !== undefined) writeFileSync(wrong, text === 'KEY' ? `${pair.cert}${pair.key}` : text);
  const create = () => new TrustedAuthorities(newStack(), 'Authorities', { file: wrong });
  expect(create).toThrow(`'file' must be ${rule}, got '${wrong}'`);
});

test('rejected: authorities for a certificate that no authority vouches for', () => {
  const stack = newStack();
  const certificate = MigrationCertificate.selfSigned(stack, 'SelfSigned', { domainName: 'shop.example.com' });
  const trustedAuthorities = Secret.fromSecretNameV2(stack, 'Imported', 'authorities');
  expect(() => newMigration(stack, { certificate, trustedAuthorities })).toThrow(
    "'trustedAuthorities' must be absent with a certificate of MigrationCertificate.selfSigned, got a secret",
  );
});

test('rejected: the variables of the secret beside it', () => {
  const trustedAuthorities = Secret.fromSecretNameV2(newStack(), 'Imported', 'authorities');
  for (const name of [ENVIRONMENT, `${ENVIRONMENT}_FILE`]) {
    expect(() => findTemplate({ trustedAuthorities, environment: { [name]: 'a' } })).toThrow(
      `'environment.${name}' must be left to the construct, got a value`,
    );
  }
});
