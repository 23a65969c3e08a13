import type { StoredText, TextPlace } from '../../../replay/place/text-place';

/** A place in memory, which fails where a test says so. */
export class MemoryPlace implements TextPlace {
  readonly name = 'it';
  stored: StoredText | undefined;
  /** Called before each write; what it throws is the failure. */
  onWrite: (text: string) => void = () => undefined;
  /** The next write is done, and its response lost. */
  losesResponse = false;
  private count = 0;

  constructor(readonly isLocal = false) {}

  read(): Promise<StoredText | undefined> {
    return Promise.resolve(this.stored);
  }

  async write(text: string, over: string | undefined): Promise<string | undefined> {
    await Promise.resolve();
    this.onWrite(text);
    if (this.stored?.version !== over) return undefined;
    this.put(text);
    if (!this.losesResponse) return this.stored?.version;
    this.losesResponse = false;
    throw new Error('no response');
  }

  /** As another process would. */
  put(text: string): void {
    this.count += 1;
    this.stored = { text, version: String(this.count) };
  }
}
