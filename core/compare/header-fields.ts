import { Differences } from './difference';
import { isRedacted } from './redacted';

type FieldLines = readonly (readonly [name: string, value: string])[];

/**
 * Of the connection (RFC 9110, section 7.6.1), of the moment, of the machine that responded, or said by the body itself, which is
 * compared without its coding.
 */
const IGNORED = new Set([
  ...['connection', 'keep-alive', 'proxy-connection', 'te', 'trailer', 'transfer-encoding', 'upgrade'],
  ...['date', 'age', 'via', 'server', 'server-timing', 'alt-svc', 'x-powered-by', 'x-response-time', 'x-runtime'],
  ...['content-length', 'content-encoding'],
  ...['x-request-id', 'x-correlation-id', 'x-amzn-trace-id', 'x-amzn-requestid', 'traceparent', 'tracestate'],
]);
const OURS = 'x-drainshift-';

/** The values of the fields that are compared, by lowercase name, in their order. */
function collect(fields: FieldLines): Map<string, string[]> {
  const found = new Map<string, string[]>();
  for (const [name, value] of fields) {
    const key = name.toLowerCase();
    if (IGNORED.has(key) || key.startsWith(OURS)) continue;
    const lines = found.get(key);
    if (lines) lines.push(value.trim());
    else found.set(key, [value.trim()]);
  }
  return found;
}

/** @returns all values of a field as one; undefined where there is none */
export function readField(fields: FieldLines, name: string): string | undefined {
  const values = fields.filter(([each]) => each.toLowerCase() === name).map(([, value]) => value.trim());
  return values.length === 0 ? undefined : values.join(', ');
}

/** Fields are `header.content-type`, and of each cookie `header.set-cookie.sid` and `header.set-cookie.sid;attributes`. */
export function compareHeaderFields(source: FieldLines, target: FieldLines, differences: Differences): void {
  const [one, other] = [collect(source), collect(target)];
  for (const name of new Set([...one.keys(), ...other.keys()])) {
    const [before, after] = [one.get(name), other.get(name)];
    if (name === 'set-cookie') compareCookies(before ?? [], after ?? [], differences);
    else if (!isSame(before, after)) differences.addValues(`header.${name}`, before?.join('\n'), after?.join('\n'));
  }
}

function isSame(one: readonly string[] | undefined, other: readonly string[] | undefined): boolean {
  return one?.length === other?.length && one?.every((value, index) => value === other?.[index]) === true;
}

interface Cookie {
  readonly value: string;
  readonly attributes: string;
}

function compareCookies(source: readonly string[], target: readonly string[], differences: Differences): void {
  // Of a line that was redacted as a whole not even the name of its cookie is known.
  if ([...source, ...target].some((line) => isRedacted(line) && !line.includes('='))) return;
  const [one, other] = [readCookies(source), readCookies(target)];
  for (const name of new Set([...one.keys(), ...other.keys()])) {
    const [before, after] = [one.get(name), other.get(name)];
    const field = `header.set-cookie.${name}`;
    if (before?.value !== after?.value) differences.addValues(field, before?.value, after?.value);
    if (!before || !after || before.attributes === after.attributes) continue;
    differences.add(`${field};attributes`, 'changed', before.attributes, after.attributes);
  }
}

/** The last one of a name counts (RFC 6265, section 4.1.1). Times at which it expires are those of the moment. */
function readCookies(lines: readonly string[]): Map<string, Cookie> {
  return new Map(
    lines.map((line) => {
      const [pair = '', ...rest] = line.split(';').map((part) => part.trim());
      const at = pair.indexOf('=');
      const attributes = rest.map((part) => part.replace(/^[^=]*/, (name) => name.toLowerCase()));
      const shown = attributes.map((part) => part.replace(/^expires=[^]*$/, 'expires')).sort();
      return [at < 0 ? '' : pair.slice(0, at), { value: pair.slice(at + 1), attributes: shown.join('; ') }];
    }),
  );
}
