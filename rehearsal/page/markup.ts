import { printable } from '../../core/text/printable';

/** A text that is longer is cut: a page is for people, and the evidence has the rest. */
const MAX_TEXT = 2_000;
/** A cell with more than this may be broken anywhere, so that a long word widens no column. */
const MAX_UNBROKEN = 24;
/** A longer table has its first and its last rows. */
const MAX_ROWS = 400;

/** Lone surrogates, and what is no character of XML (1.0, section 2.2). */
const NO_CHARACTER = /\p{Cs}|[\ufffe\uffff]/gu;

/** For text and for attributes in quotation marks, of HTML and of XML. */
export function escape(value: unknown): string {
  const text = typeof value === 'string' ? value : String(value);
  const cut = text.length > MAX_TEXT ? `${text.slice(0, MAX_TEXT)}…` : text;
  return printable(cut)
    .replace(NO_CHARACTER, '\ufffd')
    .replaceAll('&', '&amp;')
    .replaceAll('<', '&lt;')
    .replaceAll('>', '&gt;')
    .replaceAll('"', '&quot;')
    .replaceAll("'", '&#39;');
}

/** Names and texts. */
export function list(rows: readonly (readonly [string, string])[]): string {
  if (rows.length === 0) return '';
  return `<dl>${rows.map(([name, text]) => `<dt>${escape(name)}</dt><dd>${escape(text)}</dd>`).join('\n')}</dl>`;
}

export function note(text: string): string {
  return `<p class="note">${escape(text)}</p>`;
}

/**
 * Where there is no room for columns each cell says its heading. The roles keep it a table there, too.
 *
 * @param caption what the table is of, for a reader that does not see what is around it
 */
export function table(caption: string, head: readonly string[], rows: readonly (readonly string[])[]): string {
  if (rows.length === 0) return note('None was begun.');
  const headings = head.map((text) => `<th scope="col" role="columnheader">${escape(text)}</th>`).join('');
  const cell = (text: string, index: number) =>
    `<td role="cell"${text.length > MAX_UNBROKEN ? ' class="long"' : ''} data-label="${escape(head[index] ?? '')}">${escape(text)}</td>`;
  const draw = (row: readonly string[]) => `<tr role="row">${row.map(cell).join('')}</tr>`;
  const left = rows.length - MAX_ROWS;
  const shown =
    left <= 0
      ? rows.map(draw)
      : [
          ...rows.slice(0, MAX_ROWS / 2).map(draw),
          `<tr role="row"><td role="cell" colspan="${head.length}">${left.toLocaleString('en-US')} rows are left out here; the evidence has them</td></tr>`,
          ...rows.slice(-MAX_ROWS / 2).map(draw),
        ];
  return `<table role="table"><caption>${escape(caption)}</caption><thead role="rowgroup"><tr role="row">${headings}</tr></thead>
<tbody role="rowgroup">${shown.join('\n')}</tbody></table>`;
}

/**
 * A part of the page under a heading; nothing where there is nothing to say. Evidence from a file may be of another version, or
 * damaged: then this part says so, and the others stand.
 */
export function section(title: string, draw: () => string): string {
  let body: string;
  try {
    body = draw();
  } catch (error) {
    body = note(`The evidence of this part cannot be shown: ${(error as Error).message}`);
  }
  return body === '' ? '' : `<section><h2>${escape(title)}</h2>\n${body}\n</section>\n`;
}

export type PillKind = 'good' | 'bad' | 'unsure' | 'plain';

export function pill(kind: PillKind, text: string): string {
  return `<span class="pill ${kind}">${escape(text)}</span>`;
}
