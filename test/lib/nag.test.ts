import { App, Stack } from 'aws-cdk-lib';
import { Template } from 'aws-cdk-lib/assertions';
import { AwsSolutionsChecks } from 'cdk-nag';
import { createEverything } from './everything';
import { newStack } from './fixture';

test('the rules AwsSolutions find nothing in any part', () => {
  const stack = newStack();
  createEverything(stack);
  expect(findings(stack)).toEqual([]);
});

function findings(stack: Stack): string[] {
  // What a synthesis makes of the statements is what they are called by.
  Template.fromStack(stack);
  const app = stack.node.root as App;
  const { violations } = new AwsSolutionsChecks(app).validateScope(app);
  return violations.map(({ ruleName, violatingResources }) => `${ruleName}: ${JSON.stringify(violatingResources)}`);
}
