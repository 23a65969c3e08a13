/** So many texts are kept to be given again. */
const MAX_KNOWN = 1_024;
const known = new Map<string, string>();

/** The path of a URL in origin form, without its query. */
export function cutQuery(url: string): string {
  const query = url.indexOf('?');
  return query < 0 ? url : url.slice(0, query);
}

/**
 * The same for what outlives its request: a text of its own, because a part of a head keeps the whole head. Connections that
 * have a path in common, as most WebSockets of an application do, share it.
 */
export function keepPath(url: string): string {
  const path = cutQuery(url);
  const before = known.get(path);
  if (before !== undefined) return before;
  const kept = Buffer.from(path, 'latin1').toString('latin1');
  if (known.size >= MAX_KNOWN) known.clear();
  known.set(kept, kept);
  return kept;
}
