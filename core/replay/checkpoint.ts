import { oneLine } from '../text/one-line';
import type { ReplayPosition } from './position';

const VERSION = 1;

/** What the position is of: those of another store or target say nothing. */
export interface ReplayEnds {
  readonly from: string;
  readonly to: string;
  /** What else decides which requests are finished by it: of `--served-by`, `--methods` and `--from-time`, as they are given. */
  readonly only?: string;
}

/** The process that writes a checkpoint. */
export interface CheckpointOwner {
  /** Another one with each start. */
  readonly run: string;
  readonly host: string;
  readonly pid: number;
}

/** How far a replay is, and who writes it. */
export interface Checkpoint {
  readonly position: ReplayPosition;
  /** Absent once its replay has ended in order. */
  readonly owner?: CheckpointOwner;
}

/** What a replay writes. */
export interface WrittenCheckpoint {
  readonly position: ReplayPosition;
  readonly owner: CheckpointOwner;
  /** Whether it was the last time. */
  readonly hasEnded: boolean;
}

/** @param writtenAtMs milliseconds since 1970; another one with each write, so that a reader sees that its owner lives */
export function formatCheckpoint(
  { from, to, only }: ReplayEnds,
  { position, owner, hasEnded }: WrittenCheckpoint,
  writtenAtMs: number,
): string {
  // JSON has no infinity: null where nothing was read.
  const fromMs = Number.isFinite(position.fromMs) ? position.fromMs : null;
  const writtenAt = new Date(writtenAtMs).toISOString();
  return JSON.stringify({
    version: VERSION,
    from,
    to,
    only,
    writtenAt,
    owner,
    hasEnded,
    fromMs,
    finished: position.finished,
  });
}

/** @throws Error that says what is wrong with it */
export function parseCheckpoint(text: string, place: string, ends: ReplayEnds): Checkpoint {
  const { from, to, only } = ends;
  const value = parse(text);
  const { fromMs, finished, owner } = value;
  const isNamed = value.version === VERSION && typeof value.from === 'string' && typeof value.to === 'string';
  const isPlaced = (fromMs === null || typeof fromMs === 'number') && Array.isArray(finished);
  if (!isNamed || !isPlaced || !(owner === undefined || isOwner(owner)))
    throw new Error(`'${place}' must be a checkpoint of version ${VERSION}, got ${oneLine(text.slice(0, 40))}`);
  if (value.from !== from || value.to !== to)
    throw new Error(
      `'${place}' must be of a replay from '${from}' to '${to}', got one from '${String(value.from)}' to '${String(value.to)}'`,
    );
  if (value.only !== only)
    throw new Error(
      `'${place}' must be of a replay with ${describeOnly(only)}, got one with ${describeOnly(value.only)}: take another checkpoint`,
    );
  const position = { fromMs: fromMs ?? -Infinity, finished: finished as ReplayPosition['finished'] };
  return { position, ...(owner !== undefined && value.hasEnded !== true && { owner }) };
}

function describeOnly(only: unknown): string {
  return typeof only === 'string' ? `'${only}'` : 'all requests';
}

function isOwner(value: unknown): value is CheckpointOwner {
  const { run, host, pid } = (value ?? {}) as Partial<Record<keyof CheckpointOwner, unknown>>;
  return typeof run === 'string' && typeof host === 'string' && typeof pid === 'number';
}

function parse(text: string): Readonly<Record<string, unknown>> {
  try {
    const value = JSON.parse(text) as unknown;
    return typeof value === 'object' && value !== null ? (value as Record<string, unknown>) : {};
  } catch {
    return {};
  }
}
