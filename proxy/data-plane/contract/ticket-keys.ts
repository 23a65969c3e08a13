/** RFC 5077 section 4. Of 16 bytes each. */
export interface TicketKey {
  readonly name: Buffer;
  readonly mac: Buffer;
  readonly cipher: Buffer;
}

/** With what a ticket is decrypted, and whether a new one is due. */
export interface FoundTicketKey {
  readonly key: TicketKey;
  readonly isCurrent: boolean;
}

/** Times are milliseconds since the epoch. */
export interface TicketKeyRing {
  /** For a new ticket. */
  at(nowMs: number): TicketKey;
  /** For a ticket with that name; undefined where it is of no key that is still valid. */
  find(name: Buffer, nowMs: number): FoundTicketKey | undefined;
}
