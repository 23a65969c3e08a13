/**
 * What an application responds to so that its state goes along in a switch: the paths below the one that the plan names. It is
 * described in docs/state.md; `app/` implements it, and the proxy calls it.
 */
export const STATE_PARTS = ['freeze', 'export', 'import', 'digest', 'thaw'] as const;
export type StatePart = (typeof STATE_PARTS)[number];

/** `/internal/state` and `export`: `/internal/state/export`. */
export function statePath(path: string, part: StatePart): string {
  return `${path.replace(/\/$/, '')}/${part}`;
}

export const STATE_FIELDS = {
  /** Of an export: what a later one, of what has changed since, begins with (`?since=`). Absent where it can only be whole. */
  cursor: 'x-drainshift-state-cursor',
} as const;

/** Of a cursor and an ETag: visible ASCII without what a query or a field would change. */
export const CURSOR_PATTERN = /^[A-Za-z0-9._~-]{1,128}$/;

/** What an import responds: how much of it has arrived, at the end of a whole line where the state has lines. */
export interface ImportResponse {
  readonly ok: true;
  readonly bytes: number;
  /** Of keys, or of whatever the application counts. */
  readonly keys?: number;
}

/** What both sides must say the same of. */
export interface DigestResponse {
  readonly ok: true;
  readonly digest: string;
  readonly keys?: number;
}

/** A line of `digest?keys`: in the order of the bytes of its keys. */
export interface KeyDigest {
  readonly key: string;
  readonly digest: string;
}

/** @returns the problem, where it is no such response */
export function readImport(response: unknown): ImportResponse | { readonly problem: string } {
  const { ok, bytes, keys } = asRecord(response);
  if (ok === true && isCount(bytes) && (keys === undefined || isCount(keys)))
    return { ok, bytes, ...(keys !== undefined && { keys }) };
  return { problem: `must respond {"ok":true,"bytes":…}, got ${show(response)}` };
}

/** @returns the problem, where it is no such response */
export function readDigest(response: unknown): DigestResponse | { readonly problem: string } {
  const { ok, digest, keys } = asRecord(response);
  const isDigest = typeof digest === 'string' && digest !== '' && digest.length <= 200;
  if (ok === true && isDigest && (keys === undefined || isCount(keys)))
    return { ok, digest, ...(keys !== undefined && { keys }) };
  return { problem: `must respond {"ok":true,"digest":"…"}, got ${show(response)}` };
}

/** @returns undefined where it is no such line */
export function readKeyDigest(line: unknown): KeyDigest | undefined {
  const { key, digest } = asRecord(line);
  return typeof key === 'string' && typeof digest === 'string' ? { key, digest } : undefined;
}

/** What an application says why not: `{"ok":false,"why":"…"}`. */
export function readWhy(response: unknown): string | undefined {
  const { ok, why } = asRecord(response);
  return ok === false && typeof why === 'string' ? why : undefined;
}

function isCount(value: unknown): value is number {
  return Number.isSafeInteger(value) && (value as number) >= 0;
}

function show(response: unknown): string {
  return (typeof response === 'string' ? response : (JSON.stringify(response) ?? 'nothing')).slice(0, 200);
}

function asRecord(value: unknown): Readonly<Record<string, unknown>> {
  return typeof value === 'object' && value !== null ? (value as Record<string, unknown>) : {};
}
