import { createHmac, timingSafeEqual } from 'node:crypto';
import { ADMIN_HEADERS, ADMIN_WINDOW_SECONDS, AdminRequest, adminRequestToSign } from '../../core/proxy/admin-api';
import type { AdminKeys } from '../admin-keys/admin-keys';

export interface ReceivedCall {
  readonly method: string;
  readonly path: string;
  readonly headers: Readonly<Record<string, string | string[] | undefined>>;
  readonly body: string;
  /** Where it was received; see `adminAddress`. */
  readonly at: string;
}

/** What became of a call: why it is rejected, or the signature that its response must match, and the key that made it. */
export type Checked = { readonly rejection: string } | { readonly signature: string; readonly key: string };

const WINDOW_MS = { behind: ADMIN_WINDOW_SECONDS.behind * 1000, ahead: ADMIN_WINDOW_SECONDS.ahead * 1000 };
/** Older than this a call is not let in for its time. */
const REMEMBERED_MS = WINDOW_MS.behind + WINDOW_MS.ahead;

/** Nonces, and until when they are remembered (milliseconds since the epoch). */
export type UsedNonces = readonly (readonly [nonce: string, untilMs: number])[];

/** Checks the signature of admin calls: each is meant for this process at this address, and acts once. */
export class SignatureCheck {
  /** Nonces, and until when they are remembered, in the order in which they came. */
  private readonly used: Map<string, number>;

  /** @param used by calls to an earlier generation of the same identity */
  constructor(
    private readonly keys: AdminKeys,
    private readonly identity: string,
    used: UsedNonces = [],
  ) {
    this.used = new Map(used);
  }

  get nonces(): UsedNonces {
    return [...this.used];
  }

  check(call: ReceivedCall, nowMs: number): Checked {
    const { headers } = call;
    const request = findRequest(call);
    const given = headers[ADMIN_HEADERS.signature];
    const unreadable = formProblem(request, nowMs);
    if (unreadable !== undefined) return { rejection: unreadable };
    if (typeof given !== 'string') return { rejection: `'${ADMIN_HEADERS.signature}' must be set` };
    const key = this.findSigner(adminRequestToSign(request), given);
    if (key === undefined) {
      this.keys.doubt();
      return { rejection: `'${ADMIN_HEADERS.signature}' does not match` };
    }
    // Whichever key it is: what was heard under one is not let in again under the other.
    const rejection = this.audienceProblem(request, call) ?? this.useProblem(request, nowMs);
    return rejection === undefined ? { signature: given, key } : { rejection };
  }

  private findSigner(text: string, given: string): string | undefined {
    return this.keys.all.find((key) => sameText(given, sign(key, text)));
  }

  /** Its caller has the secret, and may know what would have been right. */
  private audienceProblem({ method, address, identity }: AdminRequest, { at }: ReceivedCall): string | undefined {
    if (address !== at) return `'${ADMIN_HEADERS.address}' must be ${at}, got ${address}`;
    if (identity === '' && method === 'GET') return undefined;
    if (identity === this.identity) return undefined;
    return `'${ADMIN_HEADERS.identity}' must be ${this.identity}, got ${identity === '' ? 'none' : identity}`;
  }

  private useProblem({ nonce }: AdminRequest, nowMs: number): string | undefined {
    for (const [old, untilMs] of this.used) {
      if (untilMs >= nowMs) break;
      this.used.delete(old);
    }
    if (this.used.has(nonce)) return `'${ADMIN_HEADERS.nonce}' was used before`;
    this.used.set(nonce, nowMs + REMEMBERED_MS);
    return undefined;
  }
}

export function sign(secret: string, text: string): string {
  return createHmac('sha256', secret).update(text).digest('hex');
}

function findRequest({ method, path, headers, body }: ReceivedCall): AdminRequest {
  const text = (name: keyof typeof ADMIN_HEADERS) => {
    const value = headers[ADMIN_HEADERS[name]];
    return typeof value === 'string' ? value : '';
  };
  const [time, nonce, address, identity] = [text('time'), text('nonce'), text('address'), text('identity')];
  return { method, path, time, nonce, address, identity, body };
}

function formProblem({ time, nonce, address }: AdminRequest, nowMs: number): string | undefined {
  if (!/^\d{1,15}$/.test(time)) return `'${ADMIN_HEADERS.time}' must be milliseconds since the epoch`;
  const aheadMs = Number(time) - nowMs;
  if (aheadMs > WINDOW_MS.ahead || aheadMs < -WINDOW_MS.behind) {
    const { behind, ahead } = ADMIN_WINDOW_SECONDS;
    const isAhead = aheadMs > 0 ? 'ahead of' : 'behind';
    const seconds = Math.ceil(Math.abs(aheadMs) / 1000);
    return `'${ADMIN_HEADERS.time}' must be at most ${behind} s behind and ${ahead} s ahead of this clock, got ${seconds} s ${isAhead} it`;
  }
  if (!/^[\w-]{16,64}$/.test(nonce)) {
    return `'${ADMIN_HEADERS.nonce}' must be 16 to 64 letters, digits, '-' or '_', drawn for each call`;
  }
  return address === '' ? `'${ADMIN_HEADERS.address}' must be set` : undefined;
}

/** In a time that does not tell how much of it was right. */
function sameText(given: string, expected: string): boolean {
  const a = Buffer.from(given);
  const b = Buffer.from(expected);
  return a.length === b.length && timingSafeEqual(a, b);
}
