/** Controls, escapes of terminals, marks that turn or hide text, lone surrogates, and what some readers break lines at. */
const UNSEEN = '\\p{Cc}\\p{Cf}\\p{Cs}\\p{Zl}\\p{Zp}';
const RUNS = new RegExp(`[${UNSEEN}]+`, 'gu');
const RUNS_IN_LINES = new RegExp(`[^\\P{Cc}\\n]|[${UNSEEN.replace('\\p{Cc}', '')}]`, 'gu');

/**
 * Of a text from outside what may stand in a line of a message, a mail or a terminal: a person or a service wrote it, and
 * must not forge lines of ours.
 *
 * @param max characters; what is longer is cut, and ends in `…`
 */
export function oneLine(text: string, max = 1000): string {
  const line = text
    .slice(0, 4 * max)
    .replace(RUNS, ' ')
    .trim();
  const characters = [...line];
  return characters.length > max || text.length > 4 * max ? `${characters.slice(0, max).join('')}…` : line;
}

/** The same for a message of several lines, whose parts are lines already. */
export function printable(text: string): string {
  return text.replace(RUNS_IN_LINES, ' ');
}
