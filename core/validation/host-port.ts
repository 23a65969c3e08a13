export interface HostPort {
  readonly host: string;
  readonly port: number;
}

export const HOST_PORT_RULE = 'HOST:PORT';
/** `host:port`, `[::1]:port`; in what ECMA-262 and other readers of JSON Schema share. */
export const HOST_PORT_PATTERN = '^(\\[[0-9a-fA-F:.]+\\]|[^\\s:\\[\\]/]+):[0-9]{1,5}$';

const HOST_PORT = new RegExp(HOST_PORT_PATTERN);

/** Undefined of anything else. The host has no brackets. */
export function parseHostPort(text: unknown): HostPort | undefined {
  if (typeof text !== 'string' || !HOST_PORT.test(text)) return undefined;
  const colon = text.lastIndexOf(':');
  const port = Number(text.slice(colon + 1));
  return port <= 65_535 ? { host: text.slice(0, colon).replace(/^\[|\]$/g, ''), port } : undefined;
}

export function formatHostPort({ host, port }: HostPort): string {
  return host.includes(':') ? `[${host}]:${port}` : `${host}:${port}`;
}
