import type { Launch } from '../processes/children';

/** What a row needs of a proxy: what it is asked for, and whether with TLS. */
export type Role = 'http' | 'tls' | 'websocket' | 'websocketTls';

export function isTls(role: Role): boolean {
  return role === 'tls' || role === 'websocketTls';
}

export function isWebSocket(role: Role): boolean {
  return role === 'websocket' || role === 'websocketTls';
}

/** A proxy that is measured, as a process of its own. */
export interface Peer {
  /** For `--peers`, and in results. */
  readonly name: string;
  /** How to get it; undefined when it is there. */
  readonly missing: () => string | undefined;
  /** Measured only in rows that ask for it. */
  readonly isVariant?: boolean;
  /** Writes what it needs into `job.directory`, and says how it is started. */
  readonly launch: (job: Job) => Launch | Promise<Launch>;
}

/** What one instance of a peer has to do. */
export interface Job {
  readonly port: number;
  readonly upstreamPort: number;
  /** PEM files; absent: no TLS towards the client. */
  readonly tls?: CertificateFiles;
  /** Its own, empty. */
  readonly directory: string;
  readonly openFiles: number;
  /** Processes, of a peer that has several. @default 1 */
  readonly workers?: number;
  /** After a restart, until an old process cuts the connections that it still has. @default - it is never restarted */
  readonly shutdownSeconds?: number;
}

export interface CertificateFiles {
  readonly certificate: string;
  readonly key: string;
  /** Both in one file. */
  readonly both: string;
}
