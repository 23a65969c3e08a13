export {
  ReconnectingWebSocket,
  type Acknowledgement,
  type ReconnectingWebSocketEventMap,
  type ReconnectingWebSocketOptions,
  type ReconnectingWebSocketUrl,
  type WebSocketMessage,
} from './reconnecting-web-socket';
export {
  ReconnectingEventSource,
  type ReconnectingEventSourceErrorEvent,
  type ReconnectingEventSourceEventMap,
  type ReconnectingEventSourceOptions,
} from './reconnecting-event-source';
export type { BackOffOptions } from './reconnecting';
