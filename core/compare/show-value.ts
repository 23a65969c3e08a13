import { hideInJson, hideSecrets, isSecretName } from '../scenario/secrets';
import { printableLine } from '../text/printable';
import { isId, findPath } from './route';
import type { Difference, ShownValues } from './difference';

const SHOWN = 120;
/** What is before the first difference. */
const BEFORE = 40;
/** Of a large value: more is not shown in any case. */
const MAX_TEXT = 20_000;
const HIDDEN = '***';
/** A part of a path that is longer may be a key to what it leads to. */
const MAX_SEGMENT = 36;
const SHOWN_SEGMENT = 6;

export function showValues(field: string, { source, target, shown }: Difference): ShownValues {
  if (shown) return shown;
  const [one, other] = [describe(field, source), describe(field, target)];
  const at = one === null || other === null ? 0 : findFirstDifference(one, other);
  return { source: one === null ? null : clip(one, at), target: other === null ? null : clip(other, at) };
}

function describe(field: string, value: unknown): string | null {
  if (value === undefined) return null;
  if (isSecretName(field)) return HIDDEN;
  const shown = typeof value === 'bigint' ? value.toString() : hideInJson(value);
  const text = typeof shown === 'string' ? shown : JSON.stringify(shown, (_, each: unknown) => showBig(each));
  return text.slice(0, MAX_TEXT);
}

/** JSON has no way to write one of JavaScript's. */
function showBig(value: unknown): unknown {
  return typeof value === 'bigint' ? value.toString() : value;
}

function findFirstDifference(one: string, other: string): number {
  let at = 0;
  while (at < one.length && one[at] === other[at]) at += 1;
  return at;
}

function clip(text: string, at: number): string {
  const from = text.length <= SHOWN || at <= BEFORE ? 0 : Math.min(at - BEFORE, Math.max(0, text.length - SHOWN));
  const part = `${from > 0 ? '…' : ''}${text.slice(from, from + SHOWN)}${text.length > from + SHOWN ? '…' : ''}`;
  return printableLine(part);
}

/** `GET /orders/17?page=2`: for a person who sends it again, without what may be a key. */
export function showRequest(method: string, url: string): string {
  const path = findPath(url);
  const query = url.indexOf('?') < 0 ? '' : hideSecrets(url.slice(url.indexOf('?')).replace(/#[^]*$/, ''));
  const segments = path.split('/').map((segment) => {
    return segment.length > MAX_SEGMENT && isId(segment) ? `${segment.slice(0, SHOWN_SEGMENT)}…` : segment;
  });
  return printableLine(`${method.slice(0, 20)} ${`${segments.join('/')}${query}`.slice(0, 2 * SHOWN)}`);
}
