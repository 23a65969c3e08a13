/** Where requests go. */
export interface Upstream {
  readonly protocol: 'http' | 'https';
  readonly host: string;
  readonly port: number;
  /** SNI and the name that the certificate is checked against; `host` unless given. */
  readonly serverName?: string;
  /** An ALB does not check the certificates of its targets; a proxy checks its backend's. Default true. */
  readonly verifyCertificate?: boolean;
  /** PEM of the authorities that it is checked against, in place of Node's own. */
  readonly authorities?: string;
  /**
   * The address of this machine that connections to addresses of its family come from.
   * @default - the system's choice
   */
  readonly localAddress?: string;
  /** Every request goes there in HTTP/2, not gRPC alone. None that asks for an upgrade may. Default false. */
  readonly isHttp2?: boolean;
}
