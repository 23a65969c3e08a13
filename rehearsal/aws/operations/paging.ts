interface Page<T> {
  readonly items: readonly T[];
  /** Hand it in to get the next page; absent on the last one. */
  readonly next: string | undefined;
}

/**
 * One page of a list. The token is opaque to clients, as it is at AWS.
 *
 * @param invalidToken makes the error for a token that did not come from here.
 */
export function page<T>(
  items: readonly T[],
  at: { size: number; token: string | undefined },
  invalidToken: () => Error,
): Page<T> {
  const start = at.token === undefined ? 0 : computeOffset(at.token);
  if (start === undefined || start > items.length) throw invalidToken();
  const end = start + at.size;
  return { items: items.slice(start, end), next: end < items.length ? buildToken(end) : undefined };
}

function buildToken(offset: number): string {
  return Buffer.from(`offset:${offset}`).toString('base64url');
}

function computeOffset(token: string): number | undefined {
  const match = /^offset:(\d{1,9})$/.exec(Buffer.from(token, 'base64url').toString());
  return match ? Number(match[1]) : undefined;
}
