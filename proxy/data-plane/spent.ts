import type { ClientHalf, EngineHead } from './halves';

/**
 * What takes the place of a request's head and its client half when the connection has become a tunnel: a WebSocket may
 * live for days, and has no use for them.
 */
export const SPENT_HEAD: EngineHead = {
  method: '',
  url: '',
  httpVersion: '1.1',
  headers: {},
  client: { address: '', port: 0 },
  isTls: false,
  isUpgrade: false,
  expectsContinue: false,
  bodyLength: 0,
  takesTrailers: false,
  isGrpc: false,
  field: () => undefined,
  block: () => '',
};

const nothing = () => undefined;

export const SPENT_CLIENT: ClientHalf = {
  inform: nothing,
  begin: nothing,
  write: nothing,
  end: nothing,
  flush: nothing,
  answer: nothing,
  isBackedUp: false,
  pendingBytes: 0,
  pauseUpload: nothing,
  holdUpload: nothing,
  resumeUpload: nothing,
  reset: nothing,
  detach: nothing,
};
