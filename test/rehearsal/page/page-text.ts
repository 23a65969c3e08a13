import { XMLParser, XMLValidator } from 'fast-xml-parser';

interface Node {
  readonly [name: string]: unknown;
}

const parser = new XMLParser({
  preserveOrder: true,
  ignoreAttributes: false,
  trimValues: true,
  parseTagValue: false,
  stopNodes: ['*.style'],
});
const INLINE = ['h1', 'h2', 'h3', 'p', 'li', 'dt', 'dd', 'caption', 'figcaption', 'summary', 'desc'];

/**
 * What a person who does not see the pictures reads: headings, paragraphs, the words of pictures, and tables as `a | b`.
 *
 * @throws Error where the page is not well-formed
 */
export function readPage(page: string): string[] {
  const valid = XMLValidator.validate(page.replace('<!doctype html>', ''));
  if (valid !== true) throw new Error(`the page must be well-formed, got ${valid.err.msg} in line ${valid.err.line}`);
  return listLines(parser.parse(page.replace('<!doctype html>', '')) as Node[]);
}

function listLines(nodes: readonly Node[]): string[] {
  return nodes.flatMap((node) => {
    const name = Object.keys(node).find((key) => key !== ':@') ?? '';
    const children = node[name];
    // The narrow picture shows what the wide one does.
    if ((node[':@'] as Record<string, string> | undefined)?.['@_class'] === 'narrow') return [];
    if (name === 'style' || name === 'title' || !Array.isArray(children)) return [];
    if (name === 'tr') return [(children as Node[]).map((cell) => listText([cell]).join(' ')).join(' | ')];
    if (name === 'p' && (node[':@'] as Record<string, string> | undefined)?.['@_class'] === 'verdict') {
      return [(children as Node[]).flatMap((pill) => listText([pill])).map((text) => `(${text})`).join(' ')]; // prettier-ignore
    }
    if (name === 'dl') return pairs(children as Node[]);
    if (INLINE.includes(name)) return [`${prefix(name)}${listText(children as Node[]).join(' ')}`];
    return listLines(children as Node[]);
  });
}

function prefix(name: string): string {
  if (/^h[1-6]$/.test(name)) return `${'#'.repeat(Number(name[1]))} `;
  return name === 'li' ? '- ' : name === 'desc' ? 'picture: ' : '';
}

function pairs(children: readonly Node[]): string[] {
  const texts = children.map((child) => listText([child]).join(' '));
  return texts.flatMap((text, index) => (index % 2 === 0 ? [`${text}: ${texts[index + 1] ?? ''}`] : []));
}

function listText(nodes: readonly Node[]): string[] {
  return nodes.flatMap((node) => {
    if ('#text' in node) return [unescape(String(node['#text']))];
    return Object.entries(node).flatMap(([name, children]) =>
      name === ':@' || !Array.isArray(children) ? [] : listText(children as Node[]),
    );
  });
}

function unescape(text: string): string {
  return text.replaceAll('&#39;', "'");
}
