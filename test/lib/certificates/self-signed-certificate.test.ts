import { CfnParameter, Duration } from 'aws-cdk-lib';
import { Match, Template } from 'aws-cdk-lib/assertions';
import { SelfSignedCertificate, SelfSignedCertificateProps } from '../../../lib/certificates/self-signed-certificate';
import { newStack, resourceLike, listResources } from '../fixture';

const TYPE = 'Custom::DrainshiftCertificate';

function synth(props: Partial<SelfSignedCertificateProps> = {}): Template {
  const stack = newStack();
  new SelfSignedCertificate(stack, 'Own', { domainName: 'shop.internal', ...props });
  return Template.fromStack(stack);
}

describe('default', () => {
  const template = synth();

  test('is good for a year, for one name', () => {
    template.hasResourceProperties(TYPE, {
      ServiceToken: { 'Fn::GetAtt': [Match.stringLikeRegexp('^DrainshiftCertificatesFunction'), 'Arn'] },
      DomainName: 'shop.internal',
      SubjectAlternativeNames: [],
      ValidityDays: 365,
    });
  });

  test('nothing is done any more once CloudFormation has given up', () => {
    template.hasResourceProperties('AWS::Lambda::EventInvokeConfig', {
      MaximumEventAgeInSeconds: 60,
      MaximumRetryAttempts: 0,
    });
    const [, { Properties: lambda }] = resourceLike(template, 'AWS::Lambda::Function', /./);
    const [, { Properties: resource }] = resourceLike(template, TYPE, /./);
    expect(Number(resource.ServiceTimeout)).toBeGreaterThan(60 + Number(lambda.Timeout));
  });

  test('nothing of a key is in the template', () => {
    expect(JSON.stringify(template.toJSON())).not.toMatch(/PRIVATE KEY|privateKey/i);
  });

  test('is asked every day whether it is due, and may be asked by the schedule', () => {
    const [id] = resourceLike(template, TYPE, /./);
    template.hasResourceProperties('AWS::Events::Rule', {
      ScheduleExpression: 'rate(1 day)',
      Targets: [
        Match.objectLike({
          Input: {
            'Fn::Join': [
              '',
              [
                '{"CertificateArn":"',
                { Ref: id },
                '","ResourceProperties":{"DomainName":"shop.internal","SubjectAlternativeNames":[],"ValidityDays":365}}',
              ],
            ],
          },
        }),
      ],
    });
    template.hasResourceProperties('AWS::Lambda::Permission', { Principal: 'events.amazonaws.com' });
  });

  test('its function may touch what it made itself, and is not deleted before', () => {
    const stackId = { Ref: 'AWS::StackId' };
    const [, policy] = resourceLike(template, 'AWS::IAM::Policy', /^DrainshiftCertificates/);
    const { Statement } = policy.Properties.PolicyDocument as { Statement: { Resource: unknown; Action: unknown }[] };
    expect(Statement).toEqual([
      expect.objectContaining({
        Action: ['acm:ImportCertificate', 'acm:AddTagsToCertificate'],
        Condition: {
          StringEquals: { 'aws:RequestTag/drainshift:stack-id': stackId },
          'ForAllValues:StringEquals': { 'aws:TagKeys': ['drainshift:stack-id', 'drainshift:logical-id'] },
        },
      }),
      expect.objectContaining({
        Action: ['acm:ImportCertificate', 'acm:DeleteCertificate'],
        Condition: { StringEquals: { 'aws:ResourceTag/drainshift:stack-id': stackId } },
      }),
      // One that is gone has no tags: to read it must be allowed without.
      expect.not.objectContaining({ Condition: expect.anything() as unknown }),
      expect.objectContaining({ Action: 'acm:ListCertificates', Resource: '*' }),
    ]);
    expect(Statement.filter(({ Resource }) => Resource === '*')).toHaveLength(1);
    const [, resource] = resourceLike(template, TYPE, /./);
    expect(resource.DependsOn).toEqual(expect.arrayContaining([expect.stringMatching(/Policy/) as string]));
  });
});

test('custom: takes names and a validity, and several share a function', () => {
  const stack = newStack();
  new SelfSignedCertificate(stack, 'A', {
    domainName: '*.shop.internal',
    subjectAlternativeNames: ['shop.internal'],
    validity: Duration.days(30),
  });
  new SelfSignedCertificate(stack, 'B', { domainName: 'b.internal' });
  const template = Template.fromStack(stack);
  template.hasResourceProperties(TYPE, { SubjectAlternativeNames: ['shop.internal'], ValidityDays: 30 });
  expect(Object.keys(listResources(template, 'AWS::Lambda::Function'))).toHaveLength(1);
});

test('imported: a name that is known only at deployment passes', () => {
  const stack = newStack();
  const domainName = new CfnParameter(stack, 'Name').valueAsString;
  expect(() => new SelfSignedCertificate(stack, 'Own', { domainName })).not.toThrow();
});

test.each<[Partial<SelfSignedCertificateProps>, string]>([
  [
    { domainName: 'https://shop' },
    "'domainName' must be a host name, or one with * as its first label, got https://shop",
  ],
  [
    { domainName: `${'a.'.repeat(32)}b` },
    `'domainName' must be a name of at most 64 characters, got ${'a.'.repeat(32)}b`,
  ],
  [
    { subjectAlternativeNames: [''] },
    "'subjectAlternativeNames' must be a host name, or one with * as its first label, got ",
  ],
  [{ validity: Duration.days(1) }, "'validity' must be from 7 days to 825 days, got 1 day"],
  [{ validity: Duration.days(826) }, "'validity' must be from 7 days to 825 days, got 826 days"],
])('refused: %j', (props, message) => {
  expect(() => synth(props)).toThrow(message);
});
