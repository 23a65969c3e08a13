import { existsSync, readFileSync } from 'node:fs';
import type { Side } from '../../core/traffic/weights';

export interface HostOptions {
  readonly side: Side;
  /** Of its application, which ends with it. */
  readonly pidFile: string;
  /** Of both hosts: it goes with the last. */
  readonly folder: string;
}

/** The id in a file, of a process that is there. */
export function readPid(pidFile: string): number | undefined {
  if (!existsSync(pidFile)) return undefined;
  const pid = Number(readFileSync(pidFile, 'utf8'));
  return Number.isInteger(pid) && pid > 0 && existsSync(`/proc/${pid}`) ? pid : undefined;
}

/** Where the application of a host listens, on 127.0.0.1 of its own network. */
export const APPLICATION_PORT = 8_080;

/** From which requests come to the application, by the side of its host. */
export const RELAY_ADDRESSES: Readonly<Record<Side, string>> = { source: '127.0.0.2', target: '127.0.0.3' };
