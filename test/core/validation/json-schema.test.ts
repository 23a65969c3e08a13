import { Fields } from '../../../core/validation/fields';
import { buildJsonSchema } from '../../../core/validation/json-schema';

const FIELDS: Fields = {
  count: { kind: 'integer', min: 1, max: 9, sentence: 'How many.' },
  seconds: { kind: 'integer', min: 0, max: 60, default: 5, unit: 's', sentence: 'How long.' },
  share: { kind: 'number', min: 0, max: 1, default: 0.5, sentence: 'How much.' },
  isOn: { kind: 'boolean', default: false, sentence: 'Whether it is on.' },
  mode: { kind: 'choice', values: ['a', 'b'], default: 'a', sentence: 'Which one.' },
  name: { kind: 'text', pattern: '^[a-z]+$', rule: 'lower-case letters', sentence: 'Its name.' },
  part: {
    kind: 'object',
    sentence: 'A part.',
    fields: { depth: { kind: 'integer', min: 0, max: 3, default: 1, sentence: 'How deep.' } },
    schema: { minProperties: 1 },
  },
  list: {
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
    schema: { uniqueItems: true },
  },
};

test('the schema of a contract has every kind of field, what must be there, and nothing else', () => {
  expect(buildJsonSchema({ id: 'https://example.com/x.json', title: 'X' }, FIELDS)).toStrictEqual({
    $schema: 'http://json-schema.org/draft-07/schema#',
    $id: 'https://example.com/x.json',
    title: 'X',
    type: 'object',
    properties: {
      $schema: { type: 'string', description: 'Where this schema is, for an editor.' },
      count: { description: 'How many.', type: 'integer', minimum: 1, maximum: 9 },
      seconds: { description: 'How long. Unit: s.', default: 5, type: 'integer', minimum: 0, maximum: 60 },
      share: { description: 'How much.', default: 0.5, type: 'number', minimum: 0, maximum: 1 },
      isOn: { description: 'Whether it is on.', default: false, type: 'boolean' },
      mode: { description: 'Which one.', default: 'a', enum: ['a', 'b'] },
      name: { description: 'Its name.', type: 'string', pattern: '^[a-z]+$' },
      part: {
        description: 'A part.',
        type: 'object',
        properties: { depth: { description: 'How deep.', default: 1, type: 'integer', minimum: 0, maximum: 3 } },
        additionalProperties: false,
        minProperties: 1,
      },
      list: {
        description: 'Its items.',
        default: [{ id: 1 }],
        type: 'array',
        minItems: 1,
        maxItems: 4,
        items: {
          description: 'An item.',
          type: 'object',
          properties: { id: { description: 'Its number.', type: 'integer', minimum: 0, maximum: 9 } },
          required: ['id'],
          additionalProperties: false,
        },
        uniqueItems: true,
      },
    },
    required: ['count', 'name'],
    additionalProperties: false,
  });
});
