const NOTHING = Buffer.alloc(0);

/** What a client has sent ahead of its turn, in pieces and in order. None is copied again, however often a part of it is put back. */
export class Ahead {
  bytes = 0;
  private pieces: Buffer[] = [];
  private next = 0;

  /** Behind all others; `piece` may be borrowed. */
  add(piece: Buffer): void {
    this.pieces.push(Buffer.from(piece));
    this.bytes += piece.length;
  }

  /** The first piece. */
  take(): Buffer | undefined {
    const piece = this.pieces[this.next];
    if (piece === undefined) return undefined;
    this.pieces[this.next] = NOTHING;
    this.next += 1;
    this.bytes -= piece.length;
    if (this.next === this.pieces.length) this.clear();
    return piece;
  }

  /** What is left of a piece that was taken, before all others. */
  putBack(rest: Buffer): void {
    if (this.next === 0) this.pieces.unshift(rest);
    else this.pieces[(this.next -= 1)] = rest;
    this.bytes += rest.length;
  }

  takeAll(): Buffer {
    const all = Buffer.concat(this.pieces.slice(this.next));
    this.clear();
    return all;
  }

  clear(): void {
    this.pieces = [];
    this.next = 0;
    this.bytes = 0;
  }
}
