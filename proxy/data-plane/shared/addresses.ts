import { Resolver, lookup as lookupOfSystem } from 'node:dns/promises';
import { isIP } from 'node:net';
import { formatCause } from '../contract/connect-failure';
import type { FailureCause, Looked, Lookup, Notice } from '../contract/data-plane';
import type { Ticker, Ticking } from './ticker';

/** A name is looked up again when its time to live has ended, within these. */
const HELD_MS = { min: 1_000, max: 30_000 };
/** Where it is unknown how long it holds, and after a lookup that failed. */
const USUAL_MS = 5_000;
const AFTER_FAILURE_MS = 1_000;
/** An address that did not take a connection has its next turn after this, unless no other one is left. */
const AVOIDED_MS = 10_000;
/** Connections that were opened together do not end together. */
const AGE_JITTER = 0.2;
/** What a server of names may take to say how long a name holds. */
const TTL_RESPONSE_MS = 2_000;

/** How long addresses hold, or how soon to ask again where there are none. */
export function heldMs(looked: Looked | undefined): number {
  if (looked === undefined) return AFTER_FAILURE_MS;
  return Math.min(HELD_MS.max, Math.max(HELD_MS.min, looked.ttlMs ?? USUAL_MS));
}

/** What is told of a name. */
interface AddressesOptions {
  readonly lookup: Lookup;
  readonly ticker: Pick<Ticker, 'nowMs' | 'read' | 'add'>;
  readonly noticed: ((notice: Notice) => void) | undefined;
}

export interface AddressListOptions
  extends Partial<Omit<AddressesOptions, 'ticker'>>, Pick<AddressesOptions, 'ticker'> {
  /** How long a connection to a name serves requests; 0 is without a limit. */
  readonly ageMs: number;
}

/** The addresses of every upstream. */
export class AddressList {
  private readonly byHost = new Map<string, Addresses>();

  constructor(private readonly options: AddressListOptions) {}

  of(host: string): Addresses {
    const known = this.byHost.get(host);
    if (known) return known;
    const { lookup = lookupName, ticker, noticed } = this.options;
    const addresses = new Addresses(host, { lookup: (name) => lookup(name), ticker, noticed });
    this.byHost.set(host, addresses);
    return addresses;
  }

  /** Until when a connection that is opened now serves further requests; of the ticker's clock. */
  expiryMs({ isName }: Addresses): number {
    const { ageMs, ticker } = this.options;
    if (!isName || ageMs === 0) return Infinity;
    return ticker.read() + ageMs * (1 - AGE_JITTER * Math.random());
  }
}

/**
 * The addresses of one upstream, each in its turn. A name is looked up again and again, whether or not there is traffic: the
 * first request after a quiet night must not go where the upstream was yesterday.
 */
export class Addresses implements Ticking {
  /** Whether they may change. */
  readonly isName: boolean;
  private known: readonly string[];
  private turn = 0;
  private readonly avoidedUntilMs = new Map<string, number>();
  private dueMs = 0;
  private isLooking = false;
  private hasFailed = false;
  private waiting: ((cause: FailureCause | undefined) => void)[] = [];
  private readonly watchers = new Set<() => void>();

  constructor(
    private readonly host: string,
    private readonly options: AddressesOptions,
  ) {
    this.isName = isIP(host) === 0;
    this.known = this.isName ? [] : [host];
    if (this.isName) options.ticker.add(this);
  }

  /** The address whose turn it is; undefined while none is known. */
  next(): string | undefined {
    const { known } = this;
    if (known.length < 2) return known[0];
    const after = known.map((_, step) => (this.turn + 1 + step) % known.length);
    this.turn = after.find((at) => !this.isAvoided(known[at]!)) ?? after[0]!;
    return known[this.turn];
  }

  has(address: string): boolean {
    return this.known.includes(address);
  }

  /** In which order a connection tries them; those that failed a moment ago come last. */
  order(first: string): readonly string[] {
    const others = this.known.filter((address) => address !== first);
    return [first, ...others.filter((one) => !this.isAvoided(one)), ...others.filter((one) => this.isAvoided(one))];
  }

  /** Calls when an address is known, or with the reason why none is; at once where one is. */
  whenKnown(call: (cause: FailureCause | undefined) => void): void {
    if (this.known.length > 0) return call(undefined);
    this.waiting.push(call);
    void this.look();
  }

  /** `changed` is called whenever the addresses are others than before. */
  watch(changed: () => void): void {
    this.watchers.add(changed);
  }

  /** It did not take a connection. */
  avoid(address: string): void {
    this.avoidedUntilMs.set(address, this.options.ticker.nowMs + AVOIDED_MS);
  }

  tick(nowMs: number): void {
    if (nowMs >= this.dueMs) void this.look();
  }

  private isAvoided(address: string): boolean {
    const untilMs = this.avoidedUntilMs.get(address);
    return untilMs !== undefined && untilMs > this.options.ticker.nowMs;
  }

  private async look(): Promise<void> {
    if (this.isLooking) return;
    this.isLooking = true;
    try {
      this.take(await this.options.lookup(this.host));
    } catch (error) {
      this.fail(formatCause(error as Error)!);
    }
    this.isLooking = false;
  }

  private take(looked: Looked): void {
    const before = this.known;
    this.known = looked.addresses;
    this.hasFailed = false;
    this.dueMs = this.options.ticker.read() + heldMs(looked);
    for (const address of this.avoidedUntilMs.keys()) if (!this.has(address)) this.avoidedUntilMs.delete(address);
    this.respond(undefined);
    const isSame = before.length === this.known.length && before.every((address) => this.has(address));
    if (before.length === 0 || isSame) return;
    const figures = { name: this.host, addresses: this.known };
    this.options.noticed?.({ level: 'info', message: 'Upstream has other addresses', figures });
    for (const changed of this.watchers) changed();
  }

  /** An upstream does not stop to exist because a server of names does. */
  private fail(cause: FailureCause): void {
    this.dueMs = this.options.ticker.read() + heldMs(undefined);
    // Said once, not every second of an outage.
    if (!this.hasFailed) {
      const figures = { name: this.host, ...cause, addresses: this.known };
      this.options.noticed?.({ level: 'warn', message: 'The lookup of the upstream failed', figures });
    }
    this.hasFailed = true;
    this.respond(cause);
  }

  private respond(cause: FailureCause | undefined): void {
    for (const call of this.waiting.splice(0)) call(cause);
  }
}

/**
 * Looks a name up as every program of this machine does: with /etc/hosts, search domains and what else its administrator has
 * set. That way says nothing of how long a response holds, so the DNS is asked for it beside; it counts where both know the
 * same addresses.
 */
export async function lookupName(
  host: string,
  resolver = new Resolver({ timeout: TTL_RESPONSE_MS, tries: 1 }),
): Promise<Looked> {
  const [found, ttls] = await Promise.all([lookupOfSystem(host, { all: true }), listTtls(host, resolver)]);
  const addresses = [...new Set(found.map(({ address }) => address))];
  const known = addresses.flatMap((address) => ttls.get(address) ?? []);
  return { addresses, ttlMs: known.length === 0 ? undefined : 1000 * Math.min(...known) };
}

/** Seconds by address; empty where the DNS does not know the name. */
async function listTtls(host: string, resolver: Resolver): Promise<Map<string, number>> {
  const asked = await Promise.allSettled([
    resolver.resolve4(host, { ttl: true }),
    resolver.resolve6(host, { ttl: true }),
  ]);
  const records = asked.flatMap((response) => (response.status === 'fulfilled' ? response.value : []));
  return new Map(records.map(({ address, ttl }) => [address, ttl]));
}
