/** `${name}`; `$${` stands for `${`. */
const PLACES = /\$(\$\{|\{([^{}]*)\})/g;

/** What every client knows: its number, the number of its journey or round, a new id for each of these, and the origin. */
export const BUILT_IN = ['client', 'round', 'uuid', 'origin'] as const;

export type Variables = Readonly<Record<string, string>>;

/** A text with the values of its variables; one that is not there stays as it is written. */
export function fillText(text: string, values: Variables): string {
  return text.replace(PLACES, (place: string, after: string, name?: string) => {
    if (name === undefined) return after;
    return Object.hasOwn(values, name) ? (values[name] ?? '') : place;
  });
}

/** A text that stands for itself, whatever it looks like. */
export function literal(text: string): string {
  return text.replaceAll('${', () => '$${');
}

/** A value of JSON with the values of the variables in its texts. */
export function fillJson(value: unknown, values: Variables): unknown {
  if (typeof value === 'string') return fillText(value, values);
  if (Array.isArray(value)) return value.map((item) => fillJson(item, values));
  if (typeof value !== 'object' || value === null) return value;
  return Object.fromEntries(
    Object.entries(value).map(([name, item]) => [fillText(name, values), fillJson(item, values)]),
  );
}

/** The names of the variables in every text of a value. */
export function listVariables(value: unknown): string[] {
  if (typeof value === 'string') {
    return [...value.matchAll(PLACES)].flatMap(([, , name]) => (name === undefined ? [] : [name]));
  }
  if (typeof value !== 'object' || value === null) return [];
  return Object.entries(value).flatMap(([name, item]) => [...listVariables(name), ...listVariables(item)]);
}
