import { Document, Node, isAlias, isMap, isScalar, isSeq } from 'yaml';

/** Where a value is in a file. */
export interface FoundNode {
  /** Of it, or of the last part of its name that is there; undefined of none. */
  readonly offset: number | undefined;
  /** How it is written, where it is no list and no object. */
  readonly source: string | undefined;
}

/** Finds a value by its name (`stages[0].weights`), behind aliases and merge keys, too. */
export function findNode(document: Document.Parsed, name: string): FoundNode {
  let node: unknown = document.contents;
  let rest = name;
  let offset: number | undefined;
  for (;;) {
    if (isAlias(node)) node = node.resolve(document);
    const next = findNext(document, node, rest);
    if (!next) return { offset, source: rest === '' && isScalar(node) ? node.source : undefined };
    offset = next.offset ?? offset;
    node = next.node;
    rest = next.rest;
  }
}

interface Found {
  readonly node: unknown;
  readonly offset: number | undefined;
  readonly rest: string;
}

function findNext(document: Document.Parsed, node: unknown, name: string): Found | undefined {
  if (isSeq(node)) return findInList(node.items, name);
  if (!isMap(node)) return undefined;
  const merged = node.items.filter(({ key }) => isMergeKey(key)).map(({ value }) => value);
  return findInMap(node.items, name) ?? findMerged(document, merged, name);
}

function isMergeKey(key: unknown): boolean {
  return isScalar(key) && typeof key.value === 'symbol';
}

/** A key may have dots in it. */
function findInMap(items: readonly { key: unknown; value: unknown }[], name: string): Found | undefined {
  for (const { key, value } of items) {
    if (!isScalar(key) || isMergeKey(key)) continue;
    const text = `${key.value as string}`;
    const rest = name.slice(text.length);
    if (!name.startsWith(text) || !/^([.[]|$)/.test(rest)) continue;
    return { node: value, offset: key.range?.[0], rest: rest.replace(/^\./, '') };
  }
  return undefined;
}

/** `<<: *one` or `<<: [*one, *other]`: the first that has the key counts. */
function findMerged(document: Document.Parsed, sources: readonly unknown[], name: string): Found | undefined {
  for (const source of sources.flatMap((each) => (isSeq(each) ? each.items : [each]))) {
    const found = findNext(document, isAlias(source) ? source.resolve(document) : source, name);
    if (found) return found;
  }
  return undefined;
}

function findInList(items: readonly unknown[], name: string): Found | undefined {
  const [start = '', index] = /^\[(\d+)\]\.?/.exec(name) ?? [];
  if (index === undefined) return undefined;
  const item = items[Number(index)] as Node | undefined;
  return item && { node: item, offset: item.range?.[0], rest: name.slice(start.length) };
}
