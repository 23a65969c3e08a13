import { matchesParts, splitPattern } from '../../../core/text/wildcard';
import type { RequestHead } from '../contract/data-plane';

/** `/path*`, `name`, or `name=value*`; `*` stands for anything, and case does not count. */
export function compilePattern(pattern: string): (head: RequestHead) => boolean {
  if (pattern.startsWith('/')) {
    const parts = splitPattern(pattern.toLowerCase());
    return ({ url }) => {
      const asked = url.toLowerCase();
      return matchesParts(asked, parts) || matchesParts(asked.split('?', 1)[0]!, parts);
    };
  }
  const equals = pattern.indexOf('=');
  if (equals < 0) return (head) => head.field(pattern) !== undefined;
  const parts = splitPattern(pattern.slice(equals + 1).toLowerCase());
  return (head) => matchesParts((head.field(pattern.slice(0, equals)) ?? '').toLowerCase(), parts);
}
