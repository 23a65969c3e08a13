/** What a rule says of it, and the pattern that holds it. */
export interface PathRule {
  readonly pattern: string;
  readonly rule: string;
}

/**
 * A path with a query if need be, as it stands in a request line: visible ASCII. A fragment never leaves the client.
 *
 * @param maxCharacters 1 or more; with the slash
 * @see RFC 9112 section 3.2.1; RFC 9110 section 4.2.5
 */
export function requestPath(maxCharacters?: number): PathRule {
  const rule = "a path that starts with '/' and has neither a space nor a '#'";
  if (maxCharacters === undefined) return { pattern: '^/[!"$-~]*$', rule };
  const limit = maxCharacters.toLocaleString('en-US');
  return { pattern: `^/[!"$-~]{0,${maxCharacters - 1}}$`, rule: `${rule}, of at most ${limit} characters` };
}
