import { connected } from '../../../../rehearsal/template/assembly/exports';
import type { Stack } from '../../../../rehearsal/template/assembly/template';

const stackIn = (name: string, region: string, account = '111122223333'): Stack => ({
  name,
  region,
  account,
  template: { Resources: {}, Outputs: { Vpc: { Value: `vpc-of-${name}`, Export: { Name: 'vpc' } } } },
  files: new Map(),
  images: new Map(),
});

/** What the first of these stacks imports as `vpc`. */
const imported = (...others: Stack[]) =>
  connected([stackIn('own', 'eu-central-1'), ...others])[0]?.importValue?.('vpc');

// Exports are those of a region of an account, under names that another one may have, too.
test('an export is imported from the own account and region, and not from the stack itself', () => {
  expect(imported(stackIn('there', 'us-east-1'), stackIn('here', 'eu-central-1'))).toBe('vpc-of-here');
  expect(imported(stackIn('theirs', 'eu-central-1', '444455556666'), stackIn('here', 'eu-central-1'))).toBe(
    'vpc-of-here',
  );
  expect(imported(stackIn('there', 'us-east-1'))).toBeUndefined();
  expect(imported()).toBeUndefined();
});
