import { Document, LineCounter, YAMLError, isCollection, isScalar, parseAllDocuments, visit } from 'yaml';
import { oneLine } from '../../core/text/one-line';

/** With a key that is a map each level costs the parser more than the one before. */
const MAX_DEPTH = 100;
/** Each is looked for in the whole document. */
const MAX_ALIASES = 1_000;

/** What a text holds, and where. */
export interface YamlDocument {
  readonly value: unknown;
  readonly document: Document.Parsed;
  readonly lines: LineCounter;
}

/** Why a text is no document. The message is the rule, and what was found instead. */
export class YamlProblem extends Error {}

/**
 * One document of JSON or YAML, with anchors and merge keys, in a time that grows with its length alone. A key is a text, also one
 * that looks like a number: `007`.
 *
 * @param maxLength in characters
 * @returns undefined of an empty one
 * @throws YamlProblem
 */
export function parseYamlDocument(text: string, maxLength: number): YamlDocument | undefined {
  if (text.length > maxLength) {
    const got = text.length.toLocaleString('en-US');
    throw new YamlProblem(`a text of at most ${maxLength.toLocaleString('en-US')} characters, got ${got}`);
  }
  const lines = new LineCounter();
  // The check of the parser compares each key with all others.
  const options = { merge: true, logLevel: 'error', lineCounter: lines, uniqueKeys: false } as const;
  const documents = parseAllDocuments(text, options) as Document.Parsed[];
  for (const { errors, warnings } of documents) {
    const problem = errors[0] ?? warnings[0];
    if (problem) throw explainProblem(problem);
  }
  const [document] = documents;
  if (documents.length > 1) throw new YamlProblem(`one document, got ${documents.length}`);
  if (!document || document.contents === null) return undefined;
  checkNodes(document, text, lines);
  return { value: toValue(document), document, lines };
}

function checkNodes(document: Document.Parsed, text: string, lines: LineCounter): void {
  let aliases = 0;
  visit(document, {
    Collection: (_, __, path) => {
      if (path.length > MAX_DEPTH && path.filter(isCollection).length >= MAX_DEPTH) throw tooDeep();
    },
    Alias: () => {
      aliases += 1;
      if (aliases > MAX_ALIASES) throw new YamlProblem(`JSON or YAML with at most ${MAX_ALIASES} aliases, got more`);
    },
    Pair: (_, { key }) => {
      if (isScalar(key) && typeof key.value === 'number' && key.source !== undefined) key.value = key.source;
    },
  });
  visit(document, { Map: (_, { items }) => checkKeys(items, text, lines) });
}

function checkKeys(items: readonly { readonly key: unknown }[], text: string, lines: LineCounter): void {
  const seen = new Set<unknown>();
  for (const { key } of items) {
    if (!isScalar(key)) continue;
    if (!seen.has(key.value)) {
      seen.add(key.value);
      continue;
    }
    const at = key.range?.[0] ?? 0;
    const shown = /^(?:"[^"]*"|'[^']*'|[^\s:]+)/.exec(text.slice(at, at + 200))?.[0] ?? '';
    throw new YamlProblem(
      `YAML in which each key is there once, got ${oneLine(shown)} again at line ${lines.linePos(at).line}`,
    );
  }
}

function toValue(document: Document.Parsed): unknown {
  try {
    const value: unknown = document.toJS();
    // An alias inside of what it names has no end.
    JSON.stringify(value);
    return value;
  } catch (error) {
    const { message } = error as Error;
    const reason = message.startsWith('Converting circular') ? 'an alias inside of its own anchor' : firstLine(message);
    throw new YamlProblem(`JSON or YAML, got ${reason}`);
  }
}

function explainProblem({ message }: YAMLError): YamlProblem {
  // The parser calls itself for each level.
  if (message.startsWith('Maximum call stack')) return tooDeep();
  return new YamlProblem(`JSON or YAML, got ${firstLine(message)}`);
}

function tooDeep(): YamlProblem {
  return new YamlProblem(`JSON or YAML of at most ${MAX_DEPTH} levels, got more`);
}

/** The parser shows the place in more lines. */
function firstLine(message: string): string {
  return oneLine((message.split('\n')[0] ?? '').replace(/:$/, ''));
}
