/** The parts of a pattern between its `*`. */
export function splitPattern(pattern: string): readonly string[] {
  return pattern.split('*');
}

/**
 * Whether a text has these parts in this order, with anything between them. It takes no longer for many of them: the text is a
 * client's, and an expression with `.*` could take minutes.
 */
export function matchesParts(text: string, [first = '', ...others]: readonly string[]): boolean {
  const last = others.pop();
  if (last === undefined) return text === first;
  if (!text.startsWith(first)) return false;
  let at = first.length;
  for (const part of others) {
    const found = text.indexOf(part, at);
    if (found < 0) return false;
    at = found + part.length;
  }
  return text.length - last.length >= at && text.endsWith(last);
}
