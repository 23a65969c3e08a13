import { readFileSync } from 'node:fs';
import { buffer } from 'node:stream/consumers';
import { decodeText } from '../../core/text/decode';
import { oneLine } from '../../core/text/one-line';
import { EvidenceUnreadable } from '../../core/validation/shapes';

const STANDARD_INPUT = '-';

/**
 * The JSON of a file of evidence, whatever it is.
 *
 * @param file `-` for standard input
 * @throws EvidenceUnreadable of what is no JSON
 */
export async function readEvidenceFile(file: string): Promise<unknown> {
  const text = decodeText(await read(file));
  if (typeof text !== 'string') throw new EvidenceUnreadable(`'file' must be ${text.problem}`);
  return parseEvidenceText(text, "'file'");
}

/** @throws EvidenceUnreadable */
export function parseEvidenceText(text: string, name: string): unknown {
  if (text.trim() === '') throw new EvidenceUnreadable(`${name} must be JSON, got an empty file`);
  try {
    return JSON.parse(text);
  } catch (error) {
    throw new EvidenceUnreadable(`${name} must be whole JSON, got ${oneLine((error as Error).message, 200)}`);
  }
}

async function read(file: string): Promise<Uint8Array> {
  try {
    return file === STANDARD_INPUT ? await buffer(process.stdin) : readFileSync(file);
  } catch (error) {
    throw new EvidenceUnreadable(`'file' must be readable, got ${(error as NodeJS.ErrnoException).code ?? 'an error'}`);
  }
}
