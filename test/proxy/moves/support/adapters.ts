import type { AdapterConfig } from '../../../../proxy/config/move-adapters';

/** What a proxy has unless it is told otherwise. */
export const BUILT_IN: AdapterConfig = { names: ['socket.io', 'graphql-transport-ws'], rules: [] };
