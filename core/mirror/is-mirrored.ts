import { isSafeMethod } from '../traffic/safe-methods';

/** Which methods are copied. `all`: only to a target whose writes may be thrown away. */
export const MIRROR_METHODS = ['safe', 'all'] as const;
export type MirrorMethods = (typeof MIRROR_METHODS)[number];

/** Whether requests of a method are copied at all. What TRACE returns differs on each way. */
export function isMirrored(method: string, methods: MirrorMethods): boolean {
  return method !== 'TRACE' && method !== 'CONNECT' && (methods === 'all' || isSafeMethod(method));
}
