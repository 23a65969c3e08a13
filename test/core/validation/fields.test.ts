import { Field, isRequired } from '../../../core/validation/fields';

const sentence = 'What it is for.';
const needed: Field = { kind: 'integer', min: 0, max: 9, sentence };
const given: Field = { ...needed, default: 1 };
const text: Field = { kind: 'text', pattern: '^a$', rule: 'the letter a', sentence };
const object = (fields: Record<string, Field>, over: object = {}): Field => ({
  kind: 'object',
  fields,
  sentence,
  ...over,
});

test.each<[string, Field, boolean]>([
  ['a number without a default', needed, true],
  ['a number with one', given, false],
  ['a number whose default is 0', { ...needed, default: 0 }, false],
  ['a choice', { kind: 'choice', values: ['a'], default: 'a', sentence }, false],
  ['a boolean', { kind: 'boolean', default: false, sentence }, false],
  ['an object of which a part has no default', object({ given, needed }), true],
  ['an object whose parts have defaults', object({ given }), false],
  ['an object that has one itself', object({ needed }, { default: { needed: 1 } }), false],
])('whether it must be there: %s', (_, field, required) => {
  expect(isRequired(field)).toBe(required);
});

test('a text must be there', () => {
  expect(isRequired(text)).toBe(true);
});
