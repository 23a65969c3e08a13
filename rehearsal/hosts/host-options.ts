import type { Side } from '../../core/traffic/weights';

export interface HostOptions {
  readonly side: Side;
}

/** Where the application of a host listens, on 127.0.0.1 of its own network. */
export const APPLICATION_PORT = 8_080;

/** From which requests come to the application, by the side of its host. */
export const RELAY_ADDRESSES: Readonly<Record<Side, string>> = { source: '127.0.0.2', target: '127.0.0.3' };
