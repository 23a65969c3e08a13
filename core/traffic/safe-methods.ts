/** RFC 9110 section 9.2.1. */
const SAFE: ReadonlySet<string> = new Set(['GET', 'HEAD', 'OPTIONS', 'TRACE']);

/** Whether a request of this method changes nothing. */
export function isSafeMethod(method: string): boolean {
  return SAFE.has(method);
}
