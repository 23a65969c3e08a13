/** What ends the name of a capture file. */
export const PART_SUFFIX = '.proto.gz';

/**
 * The name of a part in a store: by the hour in which its process started, so that names sort by node, then in the order in which they
 * were written. `2026-11-30T17/<node>/0000000001.proto.gz`.
 */
export function partName({ id, startedMs }: { readonly id: string; readonly startedMs: number }, part: number): string {
  const hour = new Date(startedMs).toISOString().slice(0, 13);
  return `${hour}/${id}/${String(part).padStart(10, '0')}${PART_SUFFIX}`;
}
