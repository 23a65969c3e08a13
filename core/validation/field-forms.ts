import type { Field, Fields } from './fields';
import type { Problems } from './problems';
import { Check, FLAG, NUMBER, TEXT, asObject, isOneOf, eachIs, valuesAre } from './shapes';

/**
 * Whether a value still has the form that reading it gave it. Bounds are none of it: a rehearsal, which divides the times of its
 * plan, is below them.
 */
export function checkForms(problems: Problems, name: string, value: unknown, fields: Fields): void {
  const object = asObject(value);
  if (!object) return problems.add(name, 'an object', value);
  for (const [key, field] of Object.entries(fields)) {
    checkForm(problems, `${name}.${key}`, Object.hasOwn(object, key) ? object[key] : undefined, field);
  }
}

const AMOUNT: Check = ['a number of at least 0', (value) => NUMBER[1](value) && (value as number) >= 0];

function checkForm(problems: Problems, name: string, value: unknown, field: Field): void {
  if (value === undefined && 'isOptional' in field && field.isOptional === true) return;
  if (field.kind === 'object') return checkForms(problems, name, value, field.fields);
  if (field.kind === 'list') {
    if (!Array.isArray(value)) return problems.add(name, 'a list', value);
    return value.forEach((item, at) => checkForm(problems, `${name}[${at}]`, item, field.item));
  }
  const [rule, holds] = findCheck(field);
  if (!holds(value)) problems.add(name, rule, value);
}

function findCheck(field: Exclude<Field, { kind: 'object' | 'list' }>): Check {
  switch (field.kind) {
    case 'integer':
    case 'seconds':
    case 'number':
      return AMOUNT;
    case 'boolean':
      return FLAG;
    case 'choice':
      return isOneOf(...field.values);
    case 'text':
      return TEXT;
    case 'tokens':
      return eachIs(TEXT);
    case 'integers':
      return eachIs(AMOUNT);
    case 'map':
      return valuesAre(['any value', () => true]);
    case 'json':
      return ['any value', () => true];
  }
}
