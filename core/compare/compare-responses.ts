import { BodyReading, compareBodies } from './body-differences';
import { Differences } from './difference';
import { compareHeaderFields } from './header-fields';
import type { ComparedResponse, ResponsePair } from './response';

/**
 * What differs between two responses to one request: `response` where one of them did not come, else `status`, `header.…` and
 * `body…`.
 */
export function compareResponses(
  { source, target }: Pick<ResponsePair, 'source' | 'target'>,
  reading: BodyReading,
): Differences {
  const differences = new Differences();
  if (source && target) compareBoth(source, target, reading, differences);
  else if (source ?? target) differences.addValues('response', source?.status, target?.status);
  return differences;
}

function compareBoth(
  source: ComparedResponse,
  target: ComparedResponse,
  reading: BodyReading,
  into: Differences,
): void {
  if (source.status !== target.status) into.add('status', 'changed', source.status, target.status);
  compareHeaderFields(source.fields, target.fields, into);
  compareBodies({ source, target }, reading, into);
}
