interface Cookie {
  readonly value: string;
  /** Milliseconds since the epoch; Infinity for one that lives as long as its session. */
  readonly expiresMs: number;
}

/** What the names of a load balancer's own cookies begin with. */
const STICKY = 'AWSALB';

/**
 * The cookies of one browser on one origin, by name. Their age is honoured, because the load balancer's stickiness ends
 * with it; paths and domains are not, since there is one origin.
 */
export class CookieJar {
  private readonly cookies = new Map<string, Cookie>();

  /** Takes the `set-cookie` fields of a response. */
  take(fields: string | readonly string[] | undefined, nowMs: number): void {
    for (const field of typeof fields === 'string' ? [fields] : (fields ?? [])) {
      const [pair = '', ...attributes] = field.split(';');
      const [name = '', ...value] = pair.split('=');
      this.cookies.set(name.trim(), { value: value.join('=').trim(), expiresMs: expiry(attributes, nowMs) });
    }
  }

  get(name: string): string | undefined {
    return this.cookies.get(name)?.value;
  }

  /** Forgets all, and keeps these instead: a new client. */
  reset(cookies: Readonly<Record<string, string>>): void {
    this.cookies.clear();
    for (const [name, value] of Object.entries(cookies)) this.cookies.set(name, { value, expiresMs: Infinity });
  }

  /** Forgets those of the load balancer, which then decides anew. */
  forgetStickiness(): void {
    for (const name of this.cookies.keys()) if (name.startsWith(STICKY)) this.cookies.delete(name);
  }

  /** Whether the application has set any, beside those of the load balancer. */
  get hasSession(): boolean {
    return [...this.cookies.keys()].some((name) => !name.startsWith(STICKY));
  }

  /** The `cookie` field of the next request, if there is anything to send. */
  header(nowMs: number): { cookie?: string } {
    for (const [name, { expiresMs }] of this.cookies) if (expiresMs <= nowMs) this.cookies.delete(name);
    if (this.cookies.size === 0) return {};
    return { cookie: [...this.cookies].map(([name, { value }]) => `${name}=${value}`).join('; ') };
  }
}

/** `Max-Age` wins over `Expires` (RFC 6265, 5.3). */
function expiry(attributes: readonly string[], nowMs: number): number {
  const values = new Map(
    attributes.map((attribute) => {
      const [name = '', value = ''] = attribute.split('=');
      return [name.trim().toLowerCase(), value.trim()] as const;
    }),
  );
  const maxAge = Number.parseInt(values.get('max-age') ?? '', 10);
  if (!Number.isNaN(maxAge)) return nowMs + maxAge * 1000;
  const expires = Date.parse(values.get('expires') ?? '');
  return Number.isNaN(expires) ? Infinity : expires;
}
