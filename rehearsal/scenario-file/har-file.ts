import { ConvertedHar, convertHar } from '../../core/scenario/from-har';
import { decodeText } from '../../core/text/decode';
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
  const converted = typeof text === 'string' ? convertHar(parseJson(text), host) : undefined;
  if (converted) return converted;
  const what = host === undefined ? 'a HAR with a request' : `a HAR with a request of ${host}`;
  throw new UsageError(`'${given.name}' must be ${what} that has a response, got none in '${given.file}'`);
}

function parseJson(text: string): unknown {
  try {
    return JSON.parse(text) as unknown;
  } catch {
    return undefined;
  }
}
