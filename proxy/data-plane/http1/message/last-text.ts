/** So many are not compared after one that was another: behind a load balancer no two are the same. */
const SKIPPED = 16;

/** The last text of a connection, which the next one may repeat. */
export class LastText {
  private text = '';
  private toSkip = 0;

  get length(): number {
    return this.text.length;
  }

  /** Whether it stands there again, in a text. */
  isAt(text: string, from: number): boolean {
    if (this.text === '' || this.toSkip > 0) return false;
    // `startsWith` goes letter by letter.
    return text.slice(from, from + this.text.length) === this.text;
  }

  /** Another one has come. It is asked for once in a while only, where no text repeats another. */
  keep(text: string): void {
    if (this.toSkip > 0) this.toSkip -= 1;
    else if (this.text !== '') this.toSkip = SKIPPED;
    this.text = this.toSkip > 0 ? '' : text;
  }

  forget(): void {
    this.text = '';
  }
}
