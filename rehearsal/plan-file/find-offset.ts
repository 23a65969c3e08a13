import { Document, Node, isAlias, isMap, isScalar, isSeq } from 'yaml';

/** Where the name of a value (`stages[0].weights`) is, or the last part of the name that is there; undefined of none. */
export function findOffset(document: Document.Parsed, name: string): number | undefined {
  let node: unknown = document.contents;
  let rest = name;
  let found: number | undefined;
  for (;;) {
    if (isAlias(node)) node = node.resolve(document);
    const next = isMap(node) ? findInMap(node.items, rest) : isSeq(node) ? findInList(node.items, rest) : undefined;
    if (!next) return found;
    found = next.offset ?? found;
    node = next.node;
    rest = next.rest;
  }
}

interface Found {
  readonly node: unknown;
  readonly offset: number | undefined;
  readonly rest: string;
}

/** A key may have dots in it. */
function findInMap(items: readonly { key: unknown; value: unknown }[], name: string): Found | undefined {
  for (const { key, value } of items) {
    if (!isScalar(key)) continue;
    const text = `${key.value as string}`;
    const rest = name.slice(text.length);
    if (!name.startsWith(text) || !/^([.[]|$)/.test(rest)) continue;
    return { node: value, offset: key.range?.[0], rest: rest.replace(/^\./, '') };
  }
  return undefined;
}

function findInList(items: readonly unknown[], name: string): Found | undefined {
  const [start = '', index] = /^\[(\d+)\]\.?/.exec(name) ?? [];
  if (index === undefined) return undefined;
  const item = items[Number(index)] as Node | undefined;
  return item && { node: item, offset: item.range?.[0], rest: name.slice(start.length) };
}
