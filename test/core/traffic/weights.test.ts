import { WEIGHTS_FIELD, formatWeights, isWeight, readWeights, sameQuotas } from '../../../core/traffic/weights';
import { Problems } from '../../../core/validation/problems';

test.each([
  [0, true],
  [999, true],
  [-1, false],
  [1000, false],
  [1.5, false],
  ['1', false],
  [undefined, false],
])('whether %j is a weight: %j', (value, is) => {
  expect(isWeight(value)).toBe(is);
});

test.each([
  [{ source: 100, target: 0 }, { source: 1, target: 0 }, true],
  [{ source: 50, target: 50 }, { source: 7, target: 7 }, true],
  [{ source: 2, target: 1 }, { source: 1, target: 2 }, false],
  [{ source: 1, target: 0 }, { source: 0, target: 1 }, false],
  [{ source: 0, target: 0 }, { source: 1, target: 1 }, false],
])('whether %j shares out as %j: %j', (a, b, same) => {
  expect([sameQuotas(a, b), sameQuotas(b, a)]).toEqual([same, same]);
});

test('the source comes first', () => {
  expect(formatWeights({ source: 90, target: 10 })).toBe('90/10');
});

test.each([
  [{ source: 0, target: 1 }, []],
  [{ source: 1, target: 0 }, []],
  [{ source: 0, target: 0 }, ['\'weights\' must be weights of which at least one is above 0, got "0/0"']],
  [{ source: 1000, target: 0 }, ["'weights.source' must be an integer from 0 to 999, got 1000"]],
  [{ source: 0, target: -1 }, ["'weights.target' must be an integer from 0 to 999, got -1"]],
])('weights from outside, %j', (value, problems) => {
  const found = new Problems();
  readWeights(found, 'weights', value);
  expect(found.all).toEqual(problems);
});

test('editors are reported that one is above 0', () => {
  expect(WEIGHTS_FIELD.schema).toEqual({
    anyOf: [{ properties: { source: { minimum: 1 } } }, { properties: { target: { minimum: 1 } } }],
  });
});
