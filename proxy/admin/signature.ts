import { createHmac, timingSafeEqual } from 'node:crypto';
import { ADMIN_REPLAY_SECONDS, ADMIN_SIGNATURE_HEADER, ADMIN_TIME_HEADER, adminStringToSign } from '../../core/admin';

export interface SignedCall {
  readonly method: string;
  readonly path: string;
  readonly headers: Readonly<Record<string, string | string[] | undefined>>;
  readonly body: string;
}

/** Checks the signature of admin calls, and remembers those that change something, so that each of them acts once. */
export class SignatureCheck {
  private readonly seen = new Map<string, number>();

  constructor(private readonly secret: string) {}

  /** Why a call is not let in; undefined when it is. */
  refusal(call: SignedCall, nowMs: number): string | undefined {
    const time = call.headers[ADMIN_TIME_HEADER];
    const signature = call.headers[ADMIN_SIGNATURE_HEADER];
    if (typeof time !== 'string' || !/^\d{1,15}$/.test(time)) {
      return `'${ADMIN_TIME_HEADER}' must be milliseconds since the epoch`;
    }
    if (typeof signature !== 'string') return `'${ADMIN_SIGNATURE_HEADER}' must be set`;
    if (Math.abs(nowMs - Number(time)) > ADMIN_REPLAY_SECONDS * 1000) {
      return `'${ADMIN_TIME_HEADER}' must be within ${ADMIN_REPLAY_SECONDS} s of this clock`;
    }
    const expected = sign(this.secret, adminStringToSign(call.method, call.path, time, call.body));
    if (!sameText(signature, expected)) return `'${ADMIN_SIGNATURE_HEADER}' does not match`;
    if (call.method !== 'GET' && !this.isFirst(signature, Number(time), nowMs)) {
      return `'${ADMIN_SIGNATURE_HEADER}' was used before`;
    }
    return undefined;
  }

  private isFirst(signature: string, timeMs: number, nowMs: number): boolean {
    for (const [old, expiresMs] of this.seen) if (expiresMs < nowMs) this.seen.delete(old);
    if (this.seen.has(signature)) return false;
    this.seen.set(signature, timeMs + ADMIN_REPLAY_SECONDS * 1000);
    return true;
  }
}

export function sign(secret: string, text: string): string {
  return createHmac('sha256', secret).update(text).digest('hex');
}

/** In a time that does not tell how much of it was right. */
function sameText(given: string, expected: string): boolean {
  const a = Buffer.from(given);
  const b = Buffer.from(expected);
  return a.length === b.length && timingSafeEqual(a, b);
}
