type Json = Readonly<Record<string, unknown>>;

const isObject = (value: unknown): value is Json =>
  typeof value === 'object' && value !== null && !Array.isArray(value);

/** How a parameter, or a field of a form, is written. */
export interface Written {
  readonly style: string;
  readonly explode: boolean;
}

/** Between the items of a list that is one value. */
const BETWEEN: Readonly<Record<string, string>> = { spaceDelimited: ' ', pipeDelimited: '|' };

/** @see https://spec.openapis.org/oas/v3.1.1.html#style-values */
export function readStyle({ style, explode }: Json, usual: string): Written {
  const chosen = typeof style === 'string' ? style : usual;
  return { style: chosen, explode: typeof explode === 'boolean' ? explode : chosen === 'form' };
}

/** A parameter of a query, or a field of a form, as names and values. */
export function listPairs(name: string, value: unknown, { style, explode }: Written): [string, string][] {
  if (Array.isArray(value)) {
    if (explode) return value.map((item) => [name, show(item)]);
    return [[name, value.map(show).join(BETWEEN[style] ?? ',')]];
  }
  if (!isObject(value)) return [[name, show(value)]];
  const entries = Object.entries(value);
  if (style === 'deepObject') return entries.flatMap(([key, item]) => listDeep(`${name}[${key}]`, item));
  if (explode) return entries.map(([key, item]) => [key, show(item)]);
  return [[name, entries.flatMap(([key, item]) => [key, show(item)]).join(BETWEEN[style] ?? ',')]];
}

/** What is deeper is not said in OpenAPI: as most servers read it. */
function listDeep(name: string, value: unknown): [string, string][] {
  if (Array.isArray(value)) return value.flatMap((item, index) => listDeep(`${name}[${index}]`, item));
  if (!isObject(value)) return [[name, show(value)]];
  return Object.entries(value).flatMap(([key, item]) => listDeep(`${name}[${key}]`, item));
}

/** A parameter of a path or of a header field, each part of it by `encode`. */
export function writeValue(
  name: string,
  value: unknown,
  { style, explode }: Written,
  encode: (text: string) => string = (text) => text,
): string {
  const part = (item: unknown) => encode(show(item));
  const before = style === 'label' ? '.' : style === 'matrix' ? ';' : '';
  const between = explode && before !== '' ? before : ',';
  const named = style === 'matrix' ? `${encode(name)}=` : '';
  if (Array.isArray(value)) {
    const items = value.map((item) => `${explode ? named : ''}${part(item)}`).join(between);
    return `${before}${explode ? '' : named}${items}`;
  }
  if (!isObject(value)) return `${before}${named}${part(value)}`;
  const fields = Object.entries(value).map(([key, item]) => `${encode(key)}${explode ? '=' : ','}${part(item)}`);
  return `${before}${explode ? '' : named}${fields.join(between)}`;
}

/** A value as a text; what is deeper as JSON. */
export function show(value: unknown): string {
  if (value === undefined || value === null) return '';
  return typeof value === 'object' ? JSON.stringify(value) : `${value as string | number | boolean}`;
}
