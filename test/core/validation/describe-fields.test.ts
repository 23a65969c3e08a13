import { formatCommentedYaml, formatFieldTable } from '../../../core/validation/describe-fields';
import { Fields } from '../../../core/validation/fields';

const FIELDS: Fields = {
  count: { kind: 'integer', min: 1, max: 9, sentence: 'How many.' },
  seconds: { kind: 'integer', min: 0, max: 60, default: 5, unit: 's', sentence: 'How long.' },
  isOn: { kind: 'boolean', default: false, sentence: 'Whether it is on.' },
  mode: { kind: 'choice', values: ['a', 'b'], default: 'a', sentence: 'Which one.' },
  name: { kind: 'text', pattern: '^[a-z]+$', rule: 'lower-case letters', sentence: 'Its name.' },
  part: {
    kind: 'object',
    sentence: 'A part.',
    fields: { depth: { kind: 'number', min: 0, max: 3, default: 1, sentence: 'How deep.' } },
  },
  whole: {
    kind: 'object',
    sentence: 'A whole.',
    fields: { id: { kind: 'integer', min: 0, max: 9, sentence: 'Its number.' } },
    default: { id: 1, at: { x: 2 } },
  },
  one: {
    kind: 'list',
    min: 1,
    max: 4,
    rule: 'a list of 1 to 4 items',
    sentence: 'Its items.',
    default: [{ id: 1 }],
    item: {
      kind: 'object',
      sentence: 'An item.',
      fields: { id: { kind: 'integer', min: 0, max: 9, sentence: 'Its number.' } },
    },
  },
  many: {
    kind: 'list',
    min: 0,
    max: 4,
    rule: 'a list of up to 4 items',
    sentence: 'More items.',
    default: [{ id: 1 }, { id: 2 }],
    item: { kind: 'object', sentence: 'An item.', fields: {} },
  },
};

test('a table has a row for every field, with its bounds and its default', () => {
  expect(formatFieldTable(FIELDS).split('\n')).toEqual([
    '| field | value | default | meaning |',
    '|---|---|---|---|',
    '| `count` | integer, 1 to 9 | required | How many. |',
    '| `seconds` | integer, 0 to 60 s | `5` | How long. |',
    '| `isOn` | true or false | `false` | Whether it is on. |',
    '| `mode` | `a` or `b` | `a` | Which one. |',
    '| `name` | lower-case letters | required | Its name. |',
    '| `part` | object |  | A part. |',
    '| `part.depth` | number, 0 to 3 | `1` | How deep. |',
    '| `whole` | object | `{"id":1,"at":{"x":2}}` | A whole. |',
    '| `whole.id` | integer, 0 to 9 | required | Its number. |',
    '| `one` | a list of 1 to 4 items | `[{"id":1}]` | Its items. |',
    '| `one[].id` | integer, 0 to 9 | required | Its number. |',
    '| `many` | a list of up to 4 items | below | More items. |',
  ]);
});

test('a file has every field at its default, under what it is for', () => {
  const { count, name, ...withDefaults } = FIELDS;
  expect([count, name]).toHaveLength(2);
  expect(formatCommentedYaml(withDefaults)).toBe(
    [
      '',
      '# How long. (integer, 0 to 60 s)',
      'seconds: 5',
      '',
      '# Whether it is on. (true or false)',
      'isOn: false',
      '',
      '# Which one. (a or b)',
      'mode: a',
      '',
      '# A part.',
      'part:',
      '  # How deep. (number, 0 to 3)',
      '  depth: 1',
      '',
      '# A whole.',
      'whole: { id: 1, at: { x: 2 } }',
      '',
      '# Its items.',
      'one:',
      '  - { id: 1 }',
      '',
      '# More items.',
      'many:',
      '  - { id: 1 }',
      '  - { id: 2 }',
      '',
    ].join('\n'),
  );
});
