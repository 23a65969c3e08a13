import { DURATION_PATTERN } from './duration';
import { Field, Fields, NumberField, TokensField, isRequired } from './fields';

type Schema = Readonly<Record<string, unknown>>;

/**
 * The JSON Schema of a contract, for editors. What it accepts and the reader rejects are rules between values that JSON Schema
 * cannot say; what it rejects, the reader rejects, too.
 *
 * @see https://json-schema.org/draft-07 which every editor knows
 */
export function buildJsonSchema(about: { readonly id: string; readonly title: string }, fields: Fields): Schema {
  return {
    $schema: 'http://json-schema.org/draft-07/schema#',
    $id: about.id,
    title: about.title,
    ...buildObject(fields, { $schema: { type: 'string', description: 'Where this schema is, for an editor.' } }),
  };
}

function buildObject(fields: Fields, more: Schema = {}): Schema {
  const required = Object.keys(fields).filter((name) => isRequired(fields[name]!));
  const properties = Object.fromEntries(Object.entries(fields).map(([name, field]) => [name, buildField(field)]));
  return {
    type: 'object',
    properties: { ...more, ...properties },
    ...(required.length > 0 && { required }),
    additionalProperties: false,
  };
}

function buildField(field: Field): Schema {
  const description = field.unit === undefined ? field.sentence : `${field.sentence} Unit: ${field.unit}.`;
  const given = 'default' in field && field.default !== undefined ? { default: field.default } : {};
  return { description, ...given, ...buildKind(field) };
}

function buildKind(field: Field): Schema {
  switch (field.kind) {
    case 'integer':
      return { type: 'integer', minimum: field.min, maximum: field.max };
    case 'seconds':
      return {
        anyOf: [
          { type: 'integer', minimum: field.min, maximum: field.max },
          { type: 'string', pattern: DURATION_PATTERN },
        ],
      };
    case 'number':
      return buildNumber(field);
    case 'boolean':
      return { type: 'boolean' };
    case 'choice':
      return { enum: [...field.values, ...listSwitches(field.values)] };
    case 'text':
      return { type: field.allowsNumber ? ['string', 'number'] : 'string', pattern: field.pattern };
    case 'tokens':
      return buildTokens(field);
    case 'integers':
      return {
        type: 'array',
        items: { type: 'integer', minimum: field.min, maximum: field.max },
        uniqueItems: true,
      };
    case 'object':
      return { ...buildObject(field.fields), ...field.schema };
    case 'list': {
      const list = {
        type: 'array',
        minItems: field.min,
        maxItems: field.max,
        items: buildField(field.item),
        ...field.schema,
      };
      return field.text === undefined ? list : { anyOf: [list, { type: 'string', pattern: field.text }] };
    }
    case 'map':
      return {
        type: 'object',
        propertyNames: { pattern: field.pattern },
        additionalProperties: buildField(field.item),
      };
    case 'json':
      return {};
  }
}

function buildTokens({ allowsNumber }: TokensField): Schema {
  const type = allowsNumber ? ['string', 'integer'] : 'string';
  return { anyOf: [{ type }, { type: 'array', items: { type } }] };
}

function buildNumber({ min, max, words }: NumberField): Schema {
  const number = { type: 'number', minimum: min, maximum: max };
  return words ? { anyOf: [number, { enum: Object.keys(words) }] } : number;
}

/** The reader takes `true` for `on` and `false` for `off`. */
function listSwitches(values: readonly string[]): readonly boolean[] {
  return [...(values.includes('on') ? [true] : []), ...(values.includes('off') ? [false] : [])];
}

/** What a JSON file tells its editor is no part of what it holds. */
export function withoutSchema(value: unknown): unknown {
  if (typeof value !== 'object' || value === null || Array.isArray(value)) return value;
  const { $schema, ...rest } = value as Record<string, unknown>;
  return typeof $schema === 'string' ? rest : value;
}
