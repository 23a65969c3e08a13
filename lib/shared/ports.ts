/** Where clients connect. */
export const TRAFFIC_PORT = 443;

/** The listeners that lead to one side alone, for smoke tests. */
export const SMOKE_PORTS = { source: 9201, target: 9202 } as const;

/** What a proxy task listens on. */
export const DATA_PORT = 8443;
export const ADMIN_PORT = 9901;

/** Where clients that forgot the `s` of `https` connect. */
export const REDIRECT_PORT = 80;
