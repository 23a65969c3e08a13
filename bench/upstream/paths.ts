/** What every upstream of the benchmark serves. */
export const SMALL_BODY = 'hello, world\n';

/** Static bodies by path, in bytes. */
export const FILES: Readonly<Record<string, number>> = { '/64k': 64 * 1024, '/1m': 1024 * 1024 };

export const PATHS = { small: '/small', post: '/post', check: '/check', echo: '/echo' } as const;

/** What `/check` responds with: the fields that a proxy must have set, as the upstream got them. */
export const CHECKED_FIELDS = ['x-forwarded-for', 'x-forwarded-proto', 'x-forwarded-port'] as const;
