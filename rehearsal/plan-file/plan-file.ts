import { readFileSync } from 'node:fs';
import { Document, YAMLError, parseAllDocuments } from 'yaml';
import { decodeText } from '../../core/text/decode';
import { oneLine } from '../../core/text/one-line';
import { withoutSchema } from '../../core/validation/json-schema';
import { UsageError } from '../errors/usage-error';

/** A file of a command line: what the option or argument is called, and what was given. */
interface Given {
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
  const text = decodeText(bytes);
  if (typeof text !== 'string') throw wrong(given, text.problem);
  const documents = parseAllDocuments(text, { merge: true, logLevel: 'error' }) as Document.Parsed[];
  for (const { errors, warnings } of documents) {
    const problem = errors[0] ?? warnings[0];
    if (problem) throw wrong(given, explainProblem(problem, text));
  }
  const [document] = documents;
  if (documents.length > 1) throw wrong(given, `one document, got ${documents.length}`);
  if (!document || document.contents === null) throw wrong(given, 'a plan, got an empty file');
  return withoutSchema(toValue(given, document));
}

function readBytes(given: Given): Uint8Array {
  try {
    return readFileSync(given.file);
  } catch (error) {
    const { code } = error as NodeJS.ErrnoException;
    throw new UsageError(`'${given.name}' must be a readable file, got '${oneLine(given.file)}' (${code})`);
  }
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
