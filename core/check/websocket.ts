import { Findings, Judgement } from './verdict';

/** A step that was done; `problem` where it did not end as it should. */
export interface StepSeen {
  readonly ms: number;
  readonly problem?: string;
}

export interface TlsSeen extends StepSeen {
  readonly protocol: string;
  readonly cipher: string;
  readonly subject: string;
  readonly issuer: string;
  readonly names: string;
  /** ISO 8601. */
  readonly validTo: string;
  readonly daysLeft: number;
  /** Why the certificate is not trusted; absent of one that is. */
  readonly untrusted?: string;
}

export interface HandshakeSeen extends StepSeen {
  readonly status?: number;
  readonly subprotocol?: string;
  readonly extensions?: string;
  readonly server?: string;
}

export interface IdleSeen extends StepSeen {
  /** Milliseconds that were to pass. */
  readonly wantedMs: number;
  /** Pings of the server: with them the connection was not silent. */
  readonly serverPings: number;
  readonly messages: number;
}

export interface CloseSeen extends StepSeen {
  /** That the server sent; 1005 without one, 1006 without a Close frame (RFC 6455 section 7.4.1). */
  readonly code: number;
}

/** What one WebSocket showed, step by step; a step that was not reached, or not asked for, is absent. */
export interface WebSocketSeen {
  readonly connect?: StepSeen;
  readonly tls?: TlsSeen;
  readonly handshake?: HandshakeSeen;
  readonly echo?: StepSeen;
  readonly ping?: StepSeen;
  readonly idle?: IdleSeen;
  readonly pingAfterIdle?: StepSeen;
  readonly close?: CloseSeen;
}

export interface WebSocketRules {
  readonly maxHandshakeMs?: number;
  /** Of the echo and of the ping. */
  readonly maxRoundTripMs?: number;
  /** The certificate must be valid for so many days more. */
  readonly minDaysLeft: number;
}

export function judgeWebSocket(seen: WebSocketSeen, rules: WebSocketRules, isStopped: boolean): Judgement {
  const found = new Findings();
  const steps = Object.entries(seen) as readonly [string, StepSeen][];
  for (const [name, { problem }] of steps) if (problem !== undefined) found.addBroken(name, 'completed', problem);
  const { handshake, echo, ping, tls } = seen;
  if (handshake && handshake.problem === undefined) {
    found.checkAtMostMs('handshake', handshake.ms, rules.maxHandshakeMs);
  }
  for (const [name, step] of [
    ['echo', echo],
    ['ping', ping],
  ] as const) {
    if (step && step.problem === undefined) found.checkAtMostMs(name, step.ms, rules.maxRoundTripMs);
  }
  if (tls && tls.daysLeft < rules.minDaysLeft) {
    found.addBroken(
      'tls.validTo',
      `at least ${rules.minDaysLeft} days from now`,
      `${tls.validTo} (${tls.daysLeft} days)`,
    );
  }
  found.checkWhole(isStopped);
  return found.judge();
}
