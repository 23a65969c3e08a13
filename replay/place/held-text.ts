import type { TextPlace } from './text-place';

/** Another process writes in the same place. */
export class TakenOver extends Error {
  override readonly name = 'TakenOver';
}

/** A response that was lost, and a person who has removed it. */
const MAX_ATTEMPTS = 3;

/** A text with one writer: what another one has written is never replaced. */
export class HeldText {
  private version: string | undefined;

  /** @param mark stands in each text of this writer, and in none of another */
  constructor(
    private readonly place: TextPlace,
    private readonly mark: string,
  ) {}

  get name(): string {
    return this.place.name;
  }

  /** What stands there, whose ever it is: the next write may replace it. */
  async read(): Promise<string | undefined> {
    const stored = await this.place.read();
    this.version = stored?.version;
    return stored?.text;
  }

  /** @throws TakenOver where another one has written since the last read or write */
  async write(text: string): Promise<void> {
    for (let attempt = 1; attempt <= MAX_ATTEMPTS; attempt += 1) {
      const version = await this.place.write(text, this.version);
      if (version !== undefined) {
        this.version = version;
        return;
      }
      const stored = await this.place.read();
      // A write whose response did not come is this one's, too.
      if (stored && !stored.text.includes(this.mark)) break;
      this.version = stored?.version;
    }
    throw new TakenOver(`'${this.name}' must be written by one replay, got what another one wrote: this one ends`);
  }
}
