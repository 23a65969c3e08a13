import type { WriteStream } from 'node:tty';

/** Lines of a terminal that are drawn anew in their place. */
export class Redraw {
  /** Lines that the last drawing took. */
  private drawn = 0;

  constructor(private readonly terminal: Pick<WriteStream, 'write' | 'columns'>) {}

  /** A line that is too long is cut: one that wraps would be two, and the next drawing in the wrong place. */
  draw(lines: readonly string[]): void {
    const width = Math.max(20, this.terminal.columns || 80);
    const shown = lines.map((line) => (line.length < width ? line : `${line.slice(0, width - 2)}…`));
    const back = this.drawn > 0 ? `\u001b[${this.drawn}A\u001b[0J` : '';
    this.terminal.write(`${back}${shown.join('\n')}\n`);
    this.drawn = shown.length;
  }
}
