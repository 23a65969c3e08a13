import { oneLine } from '../text/one-line';
import { parseJson, readPointer } from './pointer';

/** How a response says which server it is of. */
export interface ServerNaming {
  /** The name of a header, in lower case; where there is one, no body is read. */
  readonly header?: string;
  /** Paths into the JSON of a body or message; the first that is there counts. */
  readonly fields: readonly (readonly string[])[];
}

/** What applications that show their replicas call it. */
export const DEFAULT_SERVER_FIELDS = ['server', 'server_id', 'hostname', 'instance'] as const;

const MAX_NAME = 200;

/** @returns the name of the server; undefined where the response does not say it */
export function findServerName(
  naming: ServerNaming,
  headers: Readonly<Record<string, string | string[] | undefined>>,
  body: string,
): string | undefined {
  if (naming.header !== undefined) {
    const value = headers[naming.header];
    return readName(Array.isArray(value) ? value.join(', ') : value);
  }
  const json = parseJson(body);
  for (const field of naming.fields) {
    const name = readName(readPointer(json, field));
    if (name !== undefined) return name;
  }
  return undefined;
}

function readName(value: unknown): string | undefined {
  if (typeof value !== 'string' && typeof value !== 'number') return undefined;
  const name = oneLine(String(value), MAX_NAME);
  return name === '' ? undefined : name;
}
