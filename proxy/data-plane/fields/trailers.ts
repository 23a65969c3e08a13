import type { Deviation } from '../contract/deviations';
import type { FieldBlock } from '../contract/streams';
import { FieldLimits, isLooseValueCode, scanFields } from './field-lines';
import { repairTrailers } from './repaired';

/** They say where a message ends, where it goes and for whom: a recipient that took them from a trailer could be led astray. */
const REFUSED = /^(content-length|transfer-encoding|host|connection|upgrade|te|authorization|proxy-authorization)$/;

/** Fields that a trailer may not set (RFC 9110 section 6.5.1), those of one connection and pseudo fields. They go no further. */
const DROPPED =
  /^(content-(encoding|type|range)|trailer|forwarded|via|x-forwarded-.*|x-real-ip|x-amzn-.*|x-drainshift-.*|cookie|set-cookie|cache-control|expect|max-forwards|range|age|date|expires|location|retry-after|vary|www-authenticate|keep-alive|proxy-.*|http2-settings|:.*)$/;

/** Whether a request with this trailer is rejected. */
export function isRejectedTrailer(name: string): boolean {
  return REFUSED.test(name);
}

/** Whether a trailer goes on. */
export function isTrailer(name: string): boolean {
  return !REFUSED.test(name) && !DROPPED.test(name);
}

/**
 * The trailer lines of `text`, which ends with their empty line, that may go on.
 *
 * @returns undefined when they are not to be trusted
 */
export function readTrailers(text: string, limits: FieldLimits): FieldBlock | undefined {
  if (text === '\r\n') return '';
  const lines = scanFields(text, 0, text.length, limits);
  if (typeof lines === 'string') return undefined;
  let kept = '';
  for (let index = 0; index < lines.count; index += 1) {
    const name = lines.nameAt(index);
    if (isRejectedTrailer(name)) return undefined;
    if (isTrailer(name)) kept += `${name}: ${lines.valueAt(index)}\r\n`;
  }
  return kept;
}

/**
 * The same for an upstream's: `deviates` is told of what is not as it should be. What may not be there is left out, as the
 * body before it is whole without it.
 */
export function readLooseTrailers(
  text: string,
  { fieldBytes }: FieldLimits,
  deviates: (what: Deviation) => void,
): FieldBlock | undefined {
  const repaired = repairTrailers(text);
  repaired.deviations.forEach(deviates);
  const limits = { fieldBytes, fieldLines: Infinity };
  const lines = scanFields(repaired.text, 0, repaired.text.length, limits, isLooseValueCode);
  if (typeof lines === 'string') return undefined;
  let kept = '';
  for (let index = 0; index < lines.count; index += 1) {
    const name = lines.nameAt(index);
    if (isRejectedTrailer(name)) deviates('trailers');
    else if (isTrailer(name)) kept += `${name}: ${lines.valueAt(index)}\r\n`;
  }
  return kept;
}
