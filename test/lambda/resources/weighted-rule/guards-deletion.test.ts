import { guardDeletion } from '../../../../lambda/resources/weighted-rule/guard-deletion';
import type { CustomResourceEvent } from '../../../../lambda/resources/custom-resource';
import type { LockPort, RulesPort } from '../../../../lambda/contract/weighted-rule-ports';

const holder = { execution: 'move-1', startedAt: 'then' };

function ask(RequestType: CustomResourceEvent['RequestType'], isHeld: boolean, PhysicalResourceId?: string) {
  const event = {
    ...{ RequestType, RequestId: '1', LogicalResourceId: 'Guard', PhysicalResourceId },
    ResourceProperties: {},
  } as CustomResourceEvent;
  const lock: LockPort = {
    heldByAnother: async () => (isHeld ? holder : undefined),
    holding: async () => Promise.reject(new Error('it needs no lock')),
  };
  return guardDeletion(event, { lock, rules: {} as RulesPort });
}

test('is created and updated also while a cutover holds the lock, as the same resource', async () => {
  expect((await ask('Create', true)).physicalId).toBe('Guard');
  expect((await ask('Update', true, 'Guard')).physicalId).toBe('Guard');
});

test('rejects its deletion while a cutover holds the lock', async () => {
  await expect(ask('Delete', true, 'Guard')).rejects.toThrow(
    "'Guard', and all that a cutover needs, must not be deleted while the lock is held, got one held by 'move-1' since then; end the cutover, then delete again",
  );
  expect((await ask('Delete', false, 'Guard')).physicalId).toBe('Guard');
});
