/** Which methods are copied. `all`: only to a target whose writes may be thrown away. */
export const MIRROR_METHODS = ['safe', 'all'] as const;
export type MirrorMethods = (typeof MIRROR_METHODS)[number];

/** RFC 9110 section 9.2.1. What TRACE returns differs on each way. */
const SAFE: ReadonlySet<string> = new Set(['GET', 'HEAD', 'OPTIONS']);

export function isSafeMethod(method: string): boolean {
  return SAFE.has(method);
}

/** Whether requests of a method are copied at all. */
export function isMirrored(method: string, methods: MirrorMethods): boolean {
  return isSafeMethod(method) || (methods === 'all' && method !== 'TRACE' && method !== 'CONNECT');
}
