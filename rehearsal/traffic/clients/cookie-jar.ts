import type { Side } from '../../../core/traffic/weights';

interface Cookie {
  readonly name: string;
  readonly value: string;
  readonly path: string;
  /** Milliseconds since the epoch; Infinity for one that lives as long as its session. */
  readonly expiresMs: number;
  /** A response set it; if not, the client came with it. */
  readonly isOfResponse: boolean;
  /** Whose response; undefined where no side said so. */
  readonly setBy?: Side | undefined;
}

/** A cookie by which an application may know a client again. */
export interface SessionCookie {
  readonly name: string;
  readonly value: string;
  readonly setBy: Side | undefined;
  /** It is called like a session. */
  readonly isNamed: boolean;
}

/** How an application calls the cookie of a session. */
const SESSION = /sess|auth|token|jwt|^(connect\.)?sid$/i;
/** What the names of a load balancer's own cookies begin with. */
const STICKY = 'AWSALB';

/**
 * The cookies of one browser on one origin, by name and path. Their age is honoured, because the load balancer's stickiness ends with
 * it; domains are not, since there is one origin, whatever the application is called elsewhere.
 *
 * @see RFC 6265 section 5
 */
export class CookieJar {
  /** In the order in which they came. */
  private readonly cookies = new Map<string, Cookie>();

  /**
   * Takes the `set-cookie` fields of a response.
   *
   * @param path of the request, with its query
   * @param setBy the side that responded
   */
  take(fields: string | readonly string[] | undefined, path: string, nowMs: number, setBy?: Side): void {
    for (const field of typeof fields === 'string' ? [fields] : (fields ?? [])) {
      const [pair = '', ...rest] = field.split(';');
      const [name = '', ...value] = pair.split('=');
      const attributes = readAttributes(rest);
      this.put({
        name: name.trim(),
        value: value.join('=').trim(),
        path: findPath(attributes.get('path'), path),
        expiresMs: findExpiry(attributes, nowMs),
        isOfResponse: true,
        setBy,
      });
    }
    this.dropExpired(nowMs);
  }

  /** The value of the one that came last. */
  get(name: string): string | undefined {
    return [...this.cookies.values()].findLast((cookie) => cookie.name === name)?.value;
  }

  /** Forgets all, and keeps these instead: a new client. */
  reset(cookies: Readonly<Record<string, string>>): void {
    this.cookies.clear();
    for (const [name, value] of Object.entries(cookies)) {
      this.put({ name, value, path: '/', expiresMs: Infinity, isOfResponse: false });
    }
  }

  /** Forgets those of the load balancer, which then decides anew. */
  forgetStickiness(): void {
    for (const [key, { name }] of this.cookies) if (name.startsWith(STICKY)) this.cookies.delete(key);
  }

  /**
   * Whether a request to this path carries one that the application has set, beside those of the load balancer. Of those that a client
   * came with, one is a session that is called so: `lang` is none.
   */
  hasSession(path: string, nowMs: number): boolean {
    return this.listSession(path, nowMs).length > 0;
  }

  /** Those cookies: where any is called like a session, only such. */
  listSession(path: string, nowMs: number): SessionCookie[] {
    const own = this.find(path, nowMs).filter(({ name }) => !name.startsWith(STICKY));
    const all = own
      .filter(({ name, isOfResponse }) => isOfResponse || SESSION.test(name))
      .map(({ name, value, setBy }) => ({ name, value, setBy, isNamed: SESSION.test(name) }));
    const named = all.filter(({ isNamed }) => isNamed);
    return named.length > 0 ? named : all;
  }

  /** The `cookie` field of a request to this path, if there is anything to send. */
  header(path: string, nowMs: number): { cookie?: string } {
    const sent = this.find(path, nowMs);
    if (sent.length === 0) return {};
    return { cookie: sent.map(({ name, value }) => `${name}=${value}`).join('; ') };
  }

  private dropExpired(nowMs: number): void {
    for (const [key, { expiresMs }] of this.cookies) if (expiresMs <= nowMs) this.cookies.delete(key);
  }

  private put(cookie: Cookie): void {
    this.cookies.set(`${cookie.name};${cookie.path}`, cookie);
  }

  /** Those with longer paths first (RFC 6265 section 5.4). */
  private find(path: string, nowMs: number): Cookie[] {
    this.dropExpired(nowMs);
    return [...this.cookies.values()]
      .filter((cookie) => isBelow(cookie.path, withoutQuery(path)))
      .sort((one, other) => other.path.length - one.path.length);
  }
}

const withoutQuery = (path: string) => path.split('?')[0] ?? path;

function readAttributes(attributes: readonly string[]): Map<string, string> {
  return new Map(
    attributes.map((attribute) => {
      const [name = '', ...value] = attribute.split('=');
      return [name.trim().toLowerCase(), value.join('=').trim()] as const;
    }),
  );
}

/** The directory of the request, where a response names none (RFC 6265 section 5.1.4). */
function findPath(given: string | undefined, requested: string): string {
  if (given?.startsWith('/') === true) return given;
  const path = withoutQuery(requested);
  return path.slice(0, Math.max(1, path.lastIndexOf('/')));
}

/** Path-match of RFC 6265 section 5.1.4. */
function isBelow(path: string, requested: string): boolean {
  if (!requested.startsWith(path)) return false;
  return path.endsWith('/') || requested.length === path.length || requested[path.length] === '/';
}

/** `Max-Age` wins over `Expires` (RFC 6265, 5.3). */
function findExpiry(attributes: ReadonlyMap<string, string>, nowMs: number): number {
  const maxAge = Number.parseInt(attributes.get('max-age') ?? '', 10);
  if (!Number.isNaN(maxAge)) return nowMs + maxAge * 1000;
  const expires = Date.parse(attributes.get('expires') ?? '');
  return Number.isNaN(expires) ? Infinity : expires;
}
