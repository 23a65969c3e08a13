/** The traffic's one address, as its transports use it. */
export interface Endpoint {
  readonly host: string;
  readonly port: number;
  readonly ca: string;
  /** SNI, and the name that the certificate is checked against. */
  readonly serverName: string;
  /** `Host` and `:authority`. */
  readonly authority: string;
  /** Where connections come from. @default - the system's choice */
  readonly localAddress?: string;
}

/** What a TLS connection there is opened with. */
export function connectionTo({ host, port, ca, serverName, localAddress }: Endpoint) {
  return { host, port, ca, servername: serverName, ...(localAddress !== undefined && { localAddress }) };
}
