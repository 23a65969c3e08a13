import { readFileSync } from 'node:fs';
import { decodeText } from '../../core/text/decode';
import { oneLine } from '../../core/text/one-line';
import { withoutSchema } from '../../core/validation/json-schema';
import { YamlDocument, YamlProblem, parseYamlDocument } from '../../proxy/config/yaml-document';
import { UsageError } from '../errors/usage-error';
import { findNode } from './find-node';

/** The parser takes some seconds for as many. The largest documents of OpenAPI that are published are smaller. */
const MAX_CHARACTERS = 16_000_000;

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
  const read = parseYaml(given, text);
  if (!read) throw wrong(given, `${what}, got an empty file`);
  const { document, lines, value } = read;
  const findLine = (name: string) => {
    const { offset } = findNode(document, name);
    return offset === undefined ? undefined : lines.linePos(offset).line;
  };
  const findSource = (name: string) => findNode(document, name).source;
  return { value: withoutSchema(value), findLine, findSource };
}

function parseYaml(given: Given, text: string): YamlDocument | undefined {
  try {
    return parseYamlDocument(text, MAX_CHARACTERS);
  } catch (error) {
    throw error instanceof YamlProblem ? wrong(given, error.message) : error;
  }
}

export function readBytes(given: Given): Uint8Array {
  try {
    return readFileSync(given.file);
  } catch (error) {
    const { code } = error as NodeJS.ErrnoException;
    throw new UsageError(`'${given.name}' must be a readable file, got '${oneLine(given.file)}' (${code})`);
  }
}

function wrong({ name, file }: Given, rule: string): UsageError {
  const where = file === '-' ? 'on standard input' : `in '${oneLine(file)}'`;
  return new UsageError(`'${name}' must be ${rule}, ${where}`);
}
