import { ConvertedHar, convertHar } from '../../core/scenario/from-har';
import { decodeText } from '../../core/text/decode';
import { oneLine } from '../../core/text/one-line';
import { UsageError } from '../errors/usage-error';
import { Given, readBytes } from '../plan-file/plan-file';

/**
 * What a browser recorded, as a scenario that is not yet checked.
 *
 * @param host of which requests are taken. @default - that of the first page
 * @throws UsageError of a file that is no recording
 */
export function readHarFile(given: Given, host?: string): ConvertedHar {
  const text = decodeText(readBytes(given));
  if (typeof text !== 'string') throw wrong(given, text.problem);
  const converted = convertHar(parseJson(given, text), host);
  if (converted) return converted;
  const what = host === undefined ? 'a HAR with a request' : `a HAR with a request of ${host}`;
  throw wrong(given, `${what} that has a response, got none`);
}

function parseJson(given: Given, text: string): unknown {
  try {
    return JSON.parse(text) as unknown;
  } catch (error) {
    const at = findBreak(text, (error as Error).message);
    const isCut = text.slice(at).trim() === '';
    const before = text.slice(0, at).split('\n');
    const place = `line ${before.length}, character ${before.at(-1)!.length + 1}`;
    throw wrong(given, `a HAR, got ${isCut ? 'JSON that ends too early' : 'what is no JSON'} (${place})`);
  }
}

/** From where on it is no JSON. The message of a wrong character has a part of the file in place of it. */
function findBreak(text: string, message: string): number {
  const position = /at position (\d+)/.exec(message)?.[1];
  if (position !== undefined) return Number(position);
  let [right, wrongFrom] = [0, text.length];
  if (!hasWrongCharacter(text)) return text.length;
  while (wrongFrom - right > 1) {
    const middle = Math.floor((right + wrongFrom) / 2);
    if (hasWrongCharacter(text.slice(0, middle))) wrongFrom = middle;
    else right = middle;
  }
  return right;
}

function hasWrongCharacter(text: string): boolean {
  try {
    JSON.parse(text);
    return false;
  } catch (error) {
    return (error as Error).message.startsWith('Unexpected token');
  }
}

function wrong({ name, file }: Given, rule: string): UsageError {
  return new UsageError(`'${name}' must be ${rule}, in '${oneLine(file)}'`);
}
