import { App, CfnParameter, Stack } from 'aws-cdk-lib';
import { Match, Template } from 'aws-cdk-lib/assertions';
import { HostedZone } from 'aws-cdk-lib/aws-route53';
import { MigrationCertificate } from '../../../lib/certificates/migration-certificate';
import { newLoadBalancer, newStack } from '../fixture';

const ARN = 'arn:aws:acm:eu-central-1:111122223333:certificate/11111111-2222-3333-4444-555555555555';

function zoneIn(stack: Stack) {
  return HostedZone.fromHostedZoneAttributes(stack, 'Zone', { hostedZoneId: 'Z0123456789', zoneName: 'example.com' });
}

describe('from a hosted zone', () => {
  test('default: proves itself by a record in the zone', () => {
    const stack = newStack();
    MigrationCertificate.fromHostedZone(stack, 'Made', { hostedZone: zoneIn(stack), domainName: 'shop.example.com' });
    Template.fromStack(stack).hasResourceProperties('AWS::CertificateManager::Certificate', {
      DomainName: 'shop.example.com',
      ValidationMethod: 'DNS',
      DomainValidationOptions: [{ DomainName: 'shop.example.com', HostedZoneId: 'Z0123456789' }],
    });
  });

  test('custom: has further names', () => {
    const stack = newStack();
    MigrationCertificate.fromHostedZone(stack, 'Made', {
      hostedZone: zoneIn(stack),
      domainName: 'example.com',
      subjectAlternativeNames: ['*.shop.example.com'],
    });
    Template.fromStack(stack).hasResourceProperties('AWS::CertificateManager::Certificate', {
      SubjectAlternativeNames: ['*.shop.example.com'],
    });
  });

  test.each([
    [{ domainName: 'shop.example.org' }, "'domainName' must be a name in the zone 'example.com', got shop.example.org"],
    [{ domainName: 'anexample.com' }, "'domainName' must be a name in the zone 'example.com', got anexample.com"],
    [
      { domainName: 'example.com', subjectAlternativeNames: ['example.net'] },
      "'subjectAlternativeNames' must be a name in the zone 'example.com', got example.net",
    ],
    [
      { domainName: 'shop.*.example.com' },
      "'domainName' must be a host name, or one with * as its first label, got shop.*.example.com",
    ],
  ])('refused: %j', (props, message) => {
    const stack = newStack();
    const make = () => MigrationCertificate.fromHostedZone(stack, 'Made', { hostedZone: zoneIn(stack), ...props });
    expect(make).toThrow(message);
  });

  test('imported: a zone that is known by its id alone, and a name that is known only at deployment, pass', () => {
    const stack = newStack();
    const domainName = new CfnParameter(stack, 'Name').valueAsString;
    const byId = HostedZone.fromHostedZoneId(stack, 'ById', 'Z0123456789');
    MigrationCertificate.fromHostedZone(stack, 'A', { hostedZone: byId, domainName: 'shop.example.org' });
    MigrationCertificate.fromHostedZone(stack, 'B', { hostedZone: zoneIn(stack), domainName });
    Template.fromStack(stack).resourceCountIs('AWS::CertificateManager::Certificate', 2);
  });
});

describe('from an ARN', () => {
  test('a load balancer listens with it', () => {
    const stack = newStack();
    const loadBalancer = newLoadBalancer(stack, { certificate: MigrationCertificate.fromArn(stack, 'Given', ARN) });
    expect(loadBalancer.hasSelfSignedCertificate).toBe(false);
    Template.fromStack(stack).hasResourceProperties('AWS::ElasticLoadBalancingV2::Listener', {
      Certificates: [{ CertificateArn: ARN }],
    });
  });

  test('rejected: another thing than a certificate', () => {
    expect(() => MigrationCertificate.fromArn(newStack(), 'Given', 'shop.example.com')).toThrow(
      "'certificateArn' must be the ARN of a certificate of AWS Certificate Manager, got shop.example.com",
    );
  });

  test('rejected: one of another region', () => {
    const stack = new Stack(new App({ builtinCloudFormationValidation: false }), 'Elsewhere', {
      env: { region: 'us-east-1' },
    });
    expect(() => MigrationCertificate.fromArn(stack, 'Given', ARN)).toThrow(
      `'certificateArn' must be of a certificate in us-east-1, as the load balancer is, got ${ARN}`,
    );
  });
});

test('self-signed: a load balancer listens with it', () => {
  const stack = newStack();
  const certificate = MigrationCertificate.selfSigned(stack, 'Own', { domainName: 'shop.internal' });
  expect(newLoadBalancer(stack, { certificate }).hasSelfSignedCertificate).toBe(true);
  Template.fromStack(stack).hasResourceProperties('AWS::ElasticLoadBalancingV2::Listener', {
    Certificates: [{ CertificateArn: { Ref: Match.stringLikeRegexp('^Own') } }],
  });
});
