/** The cookies of group stickiness and of target stickiness, each with its copy for cross-origin requests. */
export const GROUP_COOKIES = ['AWSALBTG', 'AWSALBTGCORS'] as const;
/** The CORS copy wins when both arrive. */
export const TARGET_COOKIES = ['AWSALBCORS', 'AWSALB'] as const;

/**
 * What a stickiness cookie holds. The service encrypts its own; here it is only opaque, because no client has to be kept
 * from reading a rehearsal.
 */
interface Stuck {
  /** A target group's ARN, or a target's `ip:port`. */
  readonly to: string;
}

function encodeStuck(stuck: Stuck): string {
  return Buffer.from(JSON.stringify(stuck)).toString('base64url');
}

/** Undefined for a cookie that is not ours: the service then chooses anew. */
export function decodeStuck(value: string | undefined): Stuck | undefined {
  if (value === undefined) return undefined;
  try {
    const parsed = JSON.parse(Buffer.from(value, 'base64url').toString()) as Partial<Stuck> | null;
    return typeof parsed?.to === 'string' ? { to: parsed.to } : undefined;
  } catch {
    return undefined;
  }
}

/** The first cookie of one of these names, in the order of the names. */
export function readCookie(header: string | string[] | undefined, names: readonly string[]): string | undefined {
  const text = Array.isArray(header) ? header.join('; ') : (header ?? '');
  const pairs = text.split(';').map((pair) => pair.trim());
  for (const name of names) {
    const found = pairs.find((pair) => pair.startsWith(`${name}=`));
    if (found) return found.slice(name.length + 1);
  }
  return undefined;
}

/** The two Set-Cookie values that keep a client where it is for `seconds` from now. */
export function stickyCookies(names: readonly string[], stuck: Stuck, seconds: number, nowMs: number): string[] {
  const expires = new Date(nowMs + seconds * 1000).toUTCString();
  const value = encodeStuck(stuck);
  return names.map((name) => {
    const base = `${name}=${value}; Expires=${expires}; Path=/`;
    return name.endsWith('CORS') ? `${base}; SameSite=None; Secure` : base;
  });
}
