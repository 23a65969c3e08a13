/** Of a file that is no text that can be read. */
export interface NotText {
  readonly problem: string;
}

const RULE = 'UTF-8, or UTF-16 with a byte order mark';

const startsWith = (bytes: Uint8Array, ...mark: readonly number[]) => mark.every((byte, at) => bytes[at] === byte);

/**
 * The text of a file: UTF-8 with or without a byte order mark, or UTF-16 with one, as editors on Windows write it. Any other
 * encoding is named and never guessed: a wrong guess changes values.
 *
 * @returns the text without its mark, or the rule and what was found instead
 */
export function decodeText(bytes: Uint8Array): string | NotText {
  if (startsWith(bytes, 0xff, 0xfe, 0, 0) || startsWith(bytes, 0, 0, 0xfe, 0xff)) return notText('UTF-32');
  if (startsWith(bytes, 0xff, 0xfe)) return decode('utf-16le', bytes.subarray(2), 'UTF-16 that breaks off');
  if (startsWith(bytes, 0xfe, 0xff)) return decode('utf-16le', swapPairs(bytes.subarray(2)), 'UTF-16 that breaks off');
  // UTF-16 without its mark has a zero beside every ASCII letter. No text in UTF-8 has one.
  return bytes.includes(0) ? notText('zero bytes') : decode('utf-8', bytes, 'bytes that are not UTF-8');
}

function decode(encoding: 'utf-8' | 'utf-16le', bytes: Uint8Array, otherwise: string): string | NotText {
  try {
    return new TextDecoder(encoding, { fatal: true }).decode(bytes);
  } catch {
    return notText(otherwise);
  }
}

/** Big-endian as little-endian: not every build of Node.js decodes both. */
function swapPairs(bytes: Uint8Array): Uint8Array {
  const swapped = Uint8Array.from(bytes);
  for (let at = 0; at + 1 < swapped.length; at += 2) {
    swapped[at] = bytes[at + 1] ?? 0;
    swapped[at + 1] = bytes[at] ?? 0;
  }
  return swapped;
}

function notText(got: string): NotText {
  return { problem: `${RULE}, got ${got}` };
}
