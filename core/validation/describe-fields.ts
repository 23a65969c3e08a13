import { Field, Fields, NumberField, isRequired } from './fields';

/** Every field with its bounds, for people: rows of a table in Markdown. */
export function formatFieldTable(fields: Fields): string {
  const rows = listRows(fields, '').map((cells) => `| ${cells.join(' | ')} |`);
  return ['| field | value | default | meaning |', '|---|---|---|---|', ...rows].join('\n');
}

function listRows(fields: Fields, prefix: string): (readonly string[])[] {
  return Object.entries(fields).flatMap(([key, field]) => {
    const name = `${prefix}${key}`;
    const own = [`\`${name}\``, describeInTable(field), describeDefault(field), describeMeaning(field)];
    if (field.kind === 'object') return [own, ...listRows(field.fields, `${name}.`)];
    if (field.kind === 'list' && field.like !== undefined) return [own];
    if (field.kind === 'list') return [own, ...listRows(field.item.fields, `${name}[].`)];
    if (field.kind === 'map' && field.item.kind === 'object') {
      return [own, ...listRows(field.item.fields, `${name}.NAME.`)];
    }
    return [own];
  });
}

function describeMeaning(field: Field): string {
  const { sentence } = field;
  return field.kind === 'list' && field.like !== undefined ? `${sentence} Fields as of \`${field.like}\`.` : sentence;
}

/** The same in Markdown: a value that is typed stands as code. */
export function describeInTable(field: Field): string {
  return field.kind === 'choice' ? joinChoices(field.values.map((value) => `\`${value}\``)) : describeValue(field);
}

function joinChoices(values: readonly string[]): string {
  return values.join(values.length < 3 ? ' or ' : ', ');
}

/** What a value may be, in a few words. */
export function describeValue(field: Field): string {
  const unit = field.unit === undefined ? '' : ` ${field.unit}`;
  switch (field.kind) {
    case 'integer':
      return `integer, ${field.min} to ${field.max}${unit}`;
    case 'seconds':
      return `seconds, ${field.min} to ${field.max}, or as 90s, 5m, 1h30m`;
    case 'number':
      return `number, ${field.min} to ${field.max}${unit}${describeWords(field)}`;
    case 'boolean':
      return 'true or false';
    case 'choice':
      return joinChoices(field.values);
    case 'integers':
      return `a list of integers, ${field.min} to ${field.max}`;
    case 'object':
      return 'object';
    case 'text':
    case 'tokens':
    case 'list':
    case 'map':
      return field.rule;
    case 'json':
      return 'any value';
  }
}

function describeWords({ words = {} }: NumberField): string {
  return Object.entries(words)
    .map(([word, value]) => `, ${word} (${value})`)
    .join('');
}

export function describeDefault(field: Field): string {
  if (isRequired(field)) return 'required';
  const value = 'default' in field ? field.default : undefined;
  if (value === undefined) return '';
  if (Array.isArray(value) && value.length > 1) return 'below';
  return `\`${typeof value === 'string' ? value : JSON.stringify(value)}\``;
}

/**
 * A file in YAML with every field at its default, each under a comment that says what it is for.
 *
 * @param indent before every line
 */
export function formatCommentedYaml(fields: Fields, indent = ''): string {
  return Object.entries(fields)
    .map(([name, field]) => {
      const isSimple = field.kind !== 'object' && field.kind !== 'list';
      if ('isOptional' in field && field.isOptional) return formatOptional(name, field, indent);
      const comment = `${indent}# ${field.sentence}${isSimple ? ` (${describeValue(field)})` : ''}\n`;
      return `${indent === '' ? '\n' : ''}${comment}${indent}${name}:${formatDefault(field, indent)}`;
    })
    .join('');
}

/** What is absent by default stands there as a comment. */
function formatOptional(name: string, field: Field, indent: string): string {
  if (field.kind !== 'object') return `${indent}# ${name}: ${field.sentence} (${describeValue(field)})\n`;
  return `${indent}# ${name}: ${field.sentence} Absent by default; \`drainshift plan validate\` knows its fields.\n`;
}

function formatDefault(field: Field, indent: string): string {
  if (field.kind === 'object' && field.default === undefined) {
    return `\n${formatCommentedYaml(field.fields, `${indent}  `)}`;
  }
  if (field.kind === 'list' && field.default.length > 0) {
    return `\n${field.default.map((item) => `${indent}  - ${formatFlow(item)}\n`).join('')}`;
  }
  return ` ${formatFlow('default' in field ? field.default : undefined)}\n`;
}

/** `{ source: 90, target: 10 }`. Only for values of ours: a text that YAML would read as something else is not quoted. */
function formatFlow(value: unknown): string {
  if (typeof value !== 'object' || value === null) return String(value);
  if (Array.isArray(value)) return `[${value.map(formatFlow).join(', ')}]`;
  const parts = Object.entries(value).map(([key, part]) => `${key}: ${formatFlow(part)}`);
  return `{ ${parts.join(', ')} }`;
}
