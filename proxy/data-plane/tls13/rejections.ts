import type { NoteRejection } from './native-tls';

/** Why a TLS connection cannot go over to another process as it is now. */
export type Tls13Rejection =
  | NoteRejection
  | 'off'
  | 'notWatched'
  | 'handshake'
  | 'ended'
  | 'queued'
  | 'betweenRecords'
  | 'unsettled'
  | 'sequenceUnknown';

interface Explanation {
  /** What a person reads. */
  readonly why: string;
  /** It may be otherwise a moment later. */
  readonly mayPass: boolean;
}

export const TLS13_REJECTIONS: Readonly<Record<Tls13Rejection, Explanation>> = {
  off: { why: 'The setting, or the self-check of this process, says no', mayPass: false },
  notWatched: { why: 'Its handshake was not followed', mayPass: false },
  handshake: { why: 'Its handshake has not ended', mayPass: true },
  startNotSeen: { why: 'Content was written in one go with the end of its handshake', mayPass: false },
  protocolVersion: { why: 'It speaks TLS 1.2 or older', mayPass: false },
  applicationProtocol: { why: 'It speaks HTTP/2', mayPass: false },
  cipherSuite: { why: 'Its cipher suite is none of the three that are continued', mayPass: false },
  earlyData: { why: 'It began with early data', mayPass: false },
  keyUpdate: { why: 'Its keys were updated', mayPass: false },
  closed: { why: 'It is closed', mayPass: false },
  ended: { why: 'One of its directions has ended', mayPass: false },
  queued: { why: 'Something that was written to it has not left', mayPass: true },
  betweenRecords: { why: 'Half of a record, padding, or its end was read', mayPass: true },
  unsettled: { why: 'It may be within a long record', mayPass: true },
  sequenceUnknown: { why: 'What comes next is not what its counters say', mayPass: false },
};
