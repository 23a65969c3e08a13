/** What ends the name of a capture file. */
export const PART_SUFFIX = '.proto.gz';

/**
 * The name of a part in a store: by the hour in which its process started, so that names sort by node, then in the order in which they
 * were written. `2026-11-30T17/<node>/0000000001.proto.gz`.
 */
export function partName({ id, startedMs }: { readonly id: string; readonly startedMs: number }, part: number): string {
  const hour = new Date(startedMs).toISOString().slice(0, 13);
  return `${hour}/${id}/${partFile(part)}`;
}

/** The last segment of its name. */
export function partFile(part: number): string {
  return `${String(part).padStart(10, '0')}${PART_SUFFIX}`;
}

/** The number of a part by its name; undefined of one of another maker. */
export function findPartNumber(name: string): number | undefined {
  const number = /(?:^|\/)(\d{10})\.proto\.gz$/.exec(name)?.[1];
  return number === undefined ? undefined : Number(number);
}

/** Clocks of the processes and of who reads may differ. */
const CLOCK_MARGIN_MS = 300_000;

/** By the name of a part, which may be of another maker. */
export interface PlacedPart {
  /** Parts of one node follow each other by their names. */
  readonly node: string;
  /** Nothing in it was seen before; in milliseconds since 1970. `-Infinity` where its name does not say. */
  readonly notBeforeMs: number;
}

/** @param name of a file or an object, with slashes */
export function placePart(name: string): PlacedPart {
  const node = name.slice(0, Math.max(0, name.lastIndexOf('/')));
  const hour = /(?:^|\/)(\d{4}-\d\d-\d\dT\d\d)\/[^/]+$/.exec(node)?.[1];
  const startedMs = hour === undefined ? NaN : Date.parse(`${hour}:00:00Z`);
  return { node, notBeforeMs: Number.isNaN(startedMs) ? -Infinity : startedMs - CLOCK_MARGIN_MS };
}
