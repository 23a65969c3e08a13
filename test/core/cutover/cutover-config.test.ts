import { CONFIG_VARIABLE, SMOKE_VARIABLE, parseCutoverConfig } from '../../../core/cutover/cutover-config';

test('a function without its config says what it lacks', () => {
  expect(parseCutoverConfig('{"storeBucket":"store"}')).toEqual({ storeBucket: 'store' });
  expect(() => parseCutoverConfig(undefined)).toThrow("'DRAINSHIFT_CUTOVER_CONFIG' must be set, got nothing");
});

// Deployed functions have these names in their environment.
test('the names of the variables stay', () => {
  expect([CONFIG_VARIABLE, SMOKE_VARIABLE]).toEqual(['DRAINSHIFT_CUTOVER_CONFIG', 'DRAINSHIFT_SMOKE']);
});
