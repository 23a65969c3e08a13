import { SavedSource } from './har';

/** A text that a request sends and that an earlier response brought: it is taken from that response in each run. */
export interface Correlation {
  readonly value: string;
  readonly variable: string;
  /** The index of the response among those that were given. */
  readonly from: number;
  readonly saved: Readonly<Record<string, string>>;
}

const MIN_TOKEN = 8;
const MAX_BEFORE = 40;
/** Of a new thing: a number, a UUID, or what looks drawn by lot. */
const ID = /^(\d{1,20}|[0-9a-f]{8}-[0-9a-f-]{27})$/i;
const DRAWN = /^(?=.*\d)[\w.~+/=:-]{8,}$|^[\w.~+/=:-]{20,}$/;

/** The value that is sent, in the last of the earlier responses that has it; undefined where none has. */
export function findOrigin(
  value: string,
  responses: readonly SavedSource[],
): Omit<Correlation, 'variable'> | undefined {
  for (let from = responses.length - 1; from >= 0; from -= 1) {
    const response = responses[from];
    const saved = response && findIn(value, response);
    if (saved) return { value, from, saved };
  }
  return undefined;
}

function findIn(value: string, { body, isJson, cookies, changes }: SavedSource): Record<string, string> | undefined {
  const isDrawn = value.length >= MIN_TOKEN && DRAWN.test(value);
  const isId = changes && ID.test(value);
  if (!isDrawn && !isId) return undefined;
  const cookie = isDrawn ? [...cookies].find(([, text]) => text === value || decode(text) === value)?.[0] : undefined;
  if (cookie !== undefined) return { cookie };
  if (isJson) {
    const pointer = findPointer(parse(body), value, '');
    return pointer === undefined ? undefined : { json: pointer };
  }
  const form = isDrawn ? findForm(body, value) : undefined;
  return form === undefined ? undefined : { matches: form };
}

function decode(text: string): string | undefined {
  try {
    return decodeURIComponent(text);
  } catch {
    return undefined;
  }
}

function parse(text: string): unknown {
  try {
    return JSON.parse(text) as unknown;
  } catch {
    return undefined;
  }
}

function findPointer(found: unknown, value: string, pointer: string): string | undefined {
  if (typeof found === 'string' || typeof found === 'number') return `${found}` === value ? pointer : undefined;
  if (typeof found !== 'object' || found === null) return undefined;
  for (const [name, item] of Object.entries(found)) {
    const inside = findPointer(item, value, `${pointer}/${name.replaceAll('~', '~0').replaceAll('/', '~1')}`);
    if (inside !== undefined) return inside;
  }
  return undefined;
}

/** What stands before it on its line, if that finds it again. */
function findForm(body: string, value: string): string | undefined {
  const at = body.indexOf(value);
  if (at === -1) return undefined;
  const before =
    body
      .slice(Math.max(0, at - MAX_BEFORE), at)
      .split('\n')
      .at(-1) ?? '';
  const form = `${before.replace(/[\\^$.*+?()[\]{}|/]/g, '\\$&')}([^"'&<>\\s]+)`;
  return before !== '' && new RegExp(form).exec(body)?.[1] === value ? form : undefined;
}
