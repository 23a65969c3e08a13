import type { Recorded } from './har';
import { isSecretName } from './secrets';

/** A text that a request sends, which an earlier response may have brought. */
export interface Sent {
  readonly name: string;
  readonly value: string;
  readonly place: 'path' | 'query' | 'header' | 'body' | 'message';
}

/** Where it comes from: it is taken from that response in each run. */
export interface Origin {
  /** The index of the request. */
  readonly from: number;
  readonly saved: Readonly<Record<string, string>>;
}

const MAX_BEFORE = 40;
/** What looks drawn by lot: under the name of a token it may be short, elsewhere a word or a date may look like it. */
const TOKEN = /^(?=.*\d)[\w.~+/=:-]{8,}$|^[\w.~+/=:-]{20,}$/;
const DRAWN = /^(?=.*\d)(?=.*[a-z])[\w.~+/=:-]{16,}$/i;
const NUMBER = /^\d{1,20}$/;
const ID_NAME = /(^|[_-])(id|uuid|guid|key|number|ref|reference)$|(Id|ID|Uuid|Key|Number|Ref)$/;

/** Which of them a number is, wherever else its digits stand. */
export const isNumber = (value: string) => NUMBER.test(value);

/** What a request sends, each text with a name. */
export function listSent({ url, headers, body, messages }: Recorded): Sent[] {
  const own = headers.filter(([name]) => isSecretName(name) && name.toLowerCase() !== 'cookie');
  const sent: Sent[] = [
    ...url.pathname.split('/').map((value): Sent => ({ name: 'id', value, place: 'path' })),
    ...[...url.searchParams].map(([name, value]): Sent => ({ name, value, place: 'query' })),
    ...own.map(([name, value]): Sent => ({ name, value: value.replace(/^Bearer /i, ''), place: 'header' })),
    ...listInBody(body ?? '').map(([name, value]): Sent => ({ name, value, place: 'body' })),
    ...messages
      .flatMap(({ isSent, text }) => (isSent ? listInBody(text ?? '') : []))
      .map(([name, value]): Sent => ({ name, value: value.replace(/^Bearer /i, ''), place: 'message' })),
  ];
  return sent.filter(({ value }) => value !== '');
}

function listInBody(body: string): [string, string][] {
  try {
    return listLeaves('value', JSON.parse(body));
  } catch {
    return body.includes('=') ? [...new URLSearchParams(body)] : [];
  }
}

function listLeaves(name: string, value: unknown): [string, string][] {
  if (typeof value === 'string' || typeof value === 'number') return [[name, `${value}`]];
  if (typeof value !== 'object' || value === null) return [];
  return Object.entries(value).flatMap(([key, item]) => listLeaves(Array.isArray(value) ? name : key, item));
}

/** The last of the earlier responses that has the value, where it is too unlikely to be there by chance. */
export function findOrigin(sent: Sent, earlier: readonly Recorded[]): Origin | undefined {
  const { name, value } = sent;
  const isDrawn = (isSecretName(name) ? TOKEN : DRAWN).test(value);
  if (!isDrawn && !isMadeId(sent)) return undefined;
  for (let from = earlier.length - 1; from >= 0; from -= 1) {
    const response = earlier[from];
    const saved = response && (isDrawn ? findToken(value, response) : findMade(value, response));
    if (!saved) continue;
    // What was sent before was not made by that request.
    if (!isDrawn && earlier.slice(0, from + 1).some((each) => hasSent(each, value))) return undefined;
    return { from, saved };
  }
  return undefined;
}

function hasSent(recorded: Recorded, value: string): boolean {
  const { url, body = '' } = recorded;
  if (!url.href.includes(value) && !body.includes(value)) return false;
  return listSent(recorded).some((sent) => sent.value === value);
}

function isMadeId({ name, value, place }: Sent): boolean {
  return isNumber(value) && (place === 'path' || ID_NAME.test(name));
}

function findToken(value: string, { source }: Recorded): Record<string, string> | undefined {
  const { body, isJson, cookies } = source;
  const cookie = [...cookies].find(([, text]) => text === value || decode(text) === value)?.[0];
  if (cookie !== undefined) return { cookie };
  if (isJson) {
    const [pointer] = source.pointers().get(value) ?? [];
    return pointer === undefined ? undefined : { json: pointer };
  }
  const form = findForm(body, value);
  return form === undefined ? undefined : { matches: form };
}

/** The id of a new thing: in JSON, under the name of an id. */
function findMade(value: string, { source }: Recorded): Record<string, string> | undefined {
  if (!source.changes) return undefined;
  const pointer = source
    .pointers()
    .get(value)
    ?.find((each) => ID_NAME.test(each.split('/').at(-1) ?? ''));
  return pointer === undefined ? undefined : { json: pointer };
}

function decode(text: string): string | undefined {
  try {
    return decodeURIComponent(text);
  } catch {
    return undefined;
  }
}

/** What stands before it on its line, if that finds it again. */
function findForm(body: string, value: string): string | undefined {
  const at = body.indexOf(value);
  if (at === -1) return undefined;
  const before =
    body
      .slice(Math.max(0, at - MAX_BEFORE), at)
      .split('\n')
      .at(-1) ?? '';
  const form = `${escapeForm(before)}([^"'&<>\\s]+)`;
  return before !== '' && new RegExp(form).exec(body)?.[1] === value ? form : undefined;
}

export function escapeForm(text: string): string {
  return text.replace(/[\\^$.*+?()[\]{}|/]/g, '\\$&');
}
