import { creationOrder } from '../../../../rehearsal/template/assembly/dependencies';
import { unfold } from '../../../../rehearsal/template/assembly/nested';
import type { Resource, Template } from '../../../../rehearsal/template/assembly/template';

const STACK = 'AWS::CloudFormation::Stack';
const findNested =
  (templates: Record<string, Template>) =>
  ({ Properties }: Resource) =>
    templates[String(Properties?.TemplateURL)];

const INNER: Template = {
  Parameters: { Given: { Type: 'String' }, Own: { Type: 'String', Default: 'own' } },
  Mappings: { Map: { a: { b: 'c' } } },
  Conditions: { Is: { 'Fn::Equals': [{ Ref: 'Given' }, 'x'] }, Both: { 'Fn::And': [{ Condition: 'Is' }] } },
  Resources: {
    One: { Type: 'AWS::S3::Bucket', Condition: 'Is', Properties: { A: { Ref: 'Given' }, B: { Ref: 'Own' } } },
    Two: {
      Type: 'AWS::S3::Bucket',
      DependsOn: 'One',
      Properties: {
        Arn: { 'Fn::GetAtt': ['One', 'Arn'] },
        Sub: { 'Fn::Sub': '${One.Arn}/${Given}/${AWS::Region}/${!Kept}' },
        Own: { 'Fn::Sub': ['${X}-${One}', { X: { Ref: 'Own' } }] },
        If: { 'Fn::If': ['Is', { Ref: 'One' }, { Ref: 'AWS::NoValue' }] },
        Map: { 'Fn::FindInMap': ['Map', 'a', { Ref: 'Own' }] },
      },
    },
  },
  Outputs: { Name: { Value: { Ref: 'One' } } },
};

const whole = unfold(
  {
    Resources: {
      Vpc: { Type: 'AWS::EC2::VPC' },
      In: {
        Type: STACK,
        DependsOn: 'Vpc',
        Properties: { TemplateURL: 'inner', Parameters: { Given: { Ref: 'Vpc' } } },
      },
      After: {
        Type: 'AWS::S3::Bucket',
        DependsOn: ['In'],
        Properties: { Name: { 'Fn::GetAtt': ['In', 'Outputs.Name'] }, Text: { 'Fn::Sub': '<${In.Outputs.Name}>' } },
      },
      Elsewhere: { Type: STACK, Properties: { TemplateURL: 'https://elsewhere' } },
    },
    Outputs: { All: { Value: { 'Fn::GetAtt': 'In.Outputs.Name' } } },
  },
  findNested({ inner: INNER }),
);

test('what a nested stack makes is made by the whole, under names of its own', () => {
  expect(Object.keys(whole.Resources ?? {})).toEqual(['Vpc', 'After', 'Elsewhere', 'InOne', 'InTwo']);
  expect(whole.Resources?.InOne).toEqual({
    Type: 'AWS::S3::Bucket',
    Condition: 'InIs',
    DependsOn: ['Vpc'],
    Properties: { A: { Ref: 'Vpc' }, B: { Ref: 'InOwn' } },
  });
  expect(whole.Resources?.InTwo).toMatchObject({
    DependsOn: ['InOne', 'Vpc'],
    Properties: {
      Arn: { 'Fn::GetAtt': ['InOne', 'Arn'] },
      Sub: {
        'Fn::Sub': [
          '${One.Arn}/${Given}/${AWS::Region}/${!Kept}',
          {
            'One.Arn': { 'Fn::GetAtt': ['InOne', 'Arn'] },
            Given: { Ref: 'Vpc' },
            'AWS::Region': { Ref: 'AWS::Region' },
          },
        ],
      },
      Own: { 'Fn::Sub': ['${X}-${One}', { X: { Ref: 'InOwn' }, One: { Ref: 'InOne' } }] },
      If: { 'Fn::If': ['InIs', { Ref: 'InOne' }, { Ref: 'AWS::NoValue' }] },
      Map: { 'Fn::FindInMap': ['InMap', 'a', { Ref: 'InOwn' }] },
    },
  });
  expect([whole.Parameters, whole.Mappings, whole.Conditions]).toEqual([
    { InOwn: { Type: 'String', Default: 'own' } },
    { InMap: { a: { b: 'c' } } },
    { InIs: { 'Fn::Equals': [{ Ref: 'Vpc' }, 'x'] }, InBoth: { 'Fn::And': [{ Condition: 'InIs' }] } },
  ]);
});

test('outputs of a nested stack are values of the whole, and the one who waits for it waits for all of it', () => {
  expect(whole.Outputs?.All?.Value).toEqual({ Ref: 'InOne' });
  expect(whole.Resources?.After).toMatchObject({
    DependsOn: ['InOne', 'InTwo'],
    Properties: {
      Name: { Ref: 'InOne' },
      Text: { 'Fn::Sub': ['<${In.Outputs.Name}>', { 'In.Outputs.Name': { Ref: 'InOne' } }] },
    },
  });
  expect(creationOrder(whole)).toEqual(['Vpc', 'InOne', 'InTwo', 'After', 'Elsewhere']);
});

test('nested stacks are unfolded at every depth', () => {
  const middle: Template = { Resources: { Deep: { Type: STACK, Properties: { TemplateURL: 'deep' } } } };
  const deep: Template = { Resources: { A: { Type: 'AWS::S3::Bucket', Properties: { B: { Ref: 'A' } } } } };
  const { Resources } = unfold(
    { Resources: { Mid: { Type: STACK, Properties: { TemplateURL: 'middle' } } } },
    findNested({ middle, deep }),
  );
  expect(Resources).toEqual({ MidDeepA: { Type: 'AWS::S3::Bucket', Properties: { B: { Ref: 'MidDeepA' } } } });
});
