import { mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { lambdaAsset } from '../../lib/shared/assets';
import { RunningStack, migration } from '../rehearsal/redeploy/running-stack';

const folder = mkdtempSync(join(tmpdir(), 'drainshift-foreign-'));
beforeAll(() => writeFileSync(join(folder, 'index.js'), 'exports.handler = () => undefined;'));
afterAll(() => rmSync(folder, { recursive: true }));

/** A function that the stack has besides, and what CloudFormation would change of it and of one of the package's own. */
function template(value: string) {
  const created = (file: string) => ({
    Type: 'AWS::Lambda::Function',
    Properties: {
      Runtime: 'nodejs24.x',
      Code: { S3Key: `${file}.zip` },
      Handler: 'index.handler',
      Role: { 'Fn::GetAtt': ['Role', 'Arn'] },
      Environment: { Variables: { NODE_OPTIONS: `--title=${value}` } },
    },
  });
  return migration({ Foreign: created('foreign'), Own: created('abc') });
}

test('a redeploy puts no foreign function into the local cloud, and no foreign environment into ours', async () => {
  const files = new Map([
    ['abc', lambdaAsset()],
    ['foreign', folder],
  ]);
  const stack = new RunningStack(template('before'), 'ownBundles', { files });
  expect(await stack.deploy(template('after'), { files })).toMatchObject({ status: 'UPDATE_COMPLETE' });
  expect(stack.functions.filter((each) => each.folder === folder)).toEqual([]);
  expect(stack.functions.filter(({ environment }) => Object.hasOwn(environment, 'NODE_OPTIONS'))).toEqual([]);
  expect(stack.functions.map(({ name }) => name)).toContainEqual(expect.stringContaining('Own'));
});
