import type { Handshake, MoveAdapter } from './adapter';
import { GRAPHQL_TRANSPORT_WS } from './graphql-transport-ws';
import { SOCKET_IO } from './socket-io';

/** Those that are built in, by their names. */
export const BUILT_IN_ADAPTERS: readonly MoveAdapter[] = [SOCKET_IO, GRAPHQL_TRANSPORT_WS];

/** The first that recognizes a connection. */
export function findAdapter(adapters: readonly MoveAdapter[], handshake: Handshake): MoveAdapter | undefined {
  return adapters.find((adapter) => adapter.recognizes(handshake));
}
