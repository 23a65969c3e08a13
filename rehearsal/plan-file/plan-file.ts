import { readFileSync } from 'node:fs';
import { Document, LineCounter, YAMLError, isScalar, parseAllDocuments, visit } from 'yaml';
import { decodeText } from '../../core/text/decode';
import { oneLine } from '../../core/text/one-line';
import { withoutSchema } from '../../core/validation/json-schema';
import { UsageError } from '../errors/usage-error';
import { findNode } from './find-node';

/** A file of a command line: what the option or argument is called, and what was given. */
export interface Given {
  readonly name: string;
  readonly file: string;
}

/**
 * The plan in a file, not yet checked: JSON or YAML, with anchors and merge keys, in UTF-8 or in UTF-16 with a byte order mark.
 *
 * @throws UsageError in one line of name, rule and value
 */
export function readPlanFile(given: Given): unknown {
  return parsePlanText(given, readBytes(given));
}

/** The same of bytes that were read already. */
export function parsePlanText(given: Given, bytes: Uint8Array): unknown {
  return parseDocument(given, bytes, 'a plan').value;
}

/** What a file holds, and where. */
export interface ReadDocument {
  readonly value: unknown;
  /** Of `stages[0].weights`, or of the part around it that is there. */
  readonly findLine: (name: string) => number | undefined;
  /** How a value is written: `01067` of what reads as the number 1067. */
  readonly findSource: (name: string) => string | undefined;
}

/**
 * One document of JSON or YAML, not yet checked.
 *
 * @param what it is: `a plan`
 * @throws UsageError in one line of name, rule and value
 */
export function readDocument(given: Given, what: string): ReadDocument {
  return parseDocument(given, readBytes(given), what);
}

function parseDocument(given: Given, bytes: Uint8Array, what: string): ReadDocument {
  const text = decodeText(bytes);
  if (typeof text !== 'string') throw wrong(given, text.problem);
  const lines = new LineCounter();
  const options = { merge: true, logLevel: 'error', lineCounter: lines } as const;
  const documents = parseAllDocuments(text, options) as Document.Parsed[];
  for (const { errors, warnings } of documents) {
    const problem = errors[0] ?? warnings[0];
    if (problem) throw wrong(given, explainProblem(problem, text));
  }
  const [document] = documents;
  if (documents.length > 1) throw wrong(given, `one document, got ${documents.length}`);
  if (!document || document.contents === null) throw wrong(given, `${what}, got an empty file`);
  const findLine = (name: string) => {
    const { offset } = findNode(document, name);
    return offset === undefined ? undefined : lines.linePos(offset).line;
  };
  keepNumericKeys(document);
  const findSource = (name: string) => findNode(document, name).source;
  return { value: withoutSchema(toValue(given, document)), findLine, findSource };
}

export function readBytes(given: Given): Uint8Array {
  try {
    return readFileSync(given.file);
  } catch (error) {
    const { code } = error as NodeJS.ErrnoException;
    throw new UsageError(`'${given.name}' must be a readable file, got '${oneLine(given.file)}' (${code})`);
  }
}

/** A key is a text, also one that looks like a number: `007`. */
function keepNumericKeys(document: Document.Parsed): void {
  visit(document, {
    Pair: (_, { key }) => {
      if (isScalar(key) && typeof key.value === 'number' && key.source !== undefined) key.value = key.source;
    },
  });
}

function toValue(given: Given, document: Document.Parsed): unknown {
  try {
    const value: unknown = document.toJS();
    // An alias inside of what it names has no end.
    JSON.stringify(value);
    return value;
  } catch (error) {
    const { message } = error as Error;
    const reason = message.startsWith('Converting circular') ? 'an alias inside of its own anchor' : firstLine(message);
    throw wrong(given, `JSON or YAML, got ${reason}`);
  }
}

function explainProblem(problem: YAMLError, text: string): string {
  const { code, pos, linePos } = problem;
  if (code !== 'DUPLICATE_KEY') return `JSON or YAML, got ${firstLine(problem.message)}`;
  const key = /^(?:"[^"]*"|'[^']*'|[^\s:]+)/.exec(text.slice(pos[0]))?.[0] ?? '';
  return `YAML in which each key is there once, got ${oneLine(key)} again at line ${linePos?.[0].line}`;
}

/** The parser shows the place in more lines. */
function firstLine(message: string): string {
  return oneLine((message.split('\n')[0] ?? '').replace(/:$/, ''));
}

function wrong({ name, file }: Given, rule: string): UsageError {
  const where = file === '-' ? 'on standard input' : `in '${oneLine(file)}'`;
  return new UsageError(`'${name}' must be ${rule}, ${where}`);
}
