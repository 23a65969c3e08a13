import type { Recorded, RecordedMessage } from './har';
import { Sent, escapeForm, findOrigin, isNumber, listSent } from './har-values';
import { isSecretName } from './secrets';
import { literal } from './variables';

export type Raw = Record<string, unknown>;

/** What a client sets by itself, what is of the one visit that was recorded, and what a server does not go by. */
const LEFT_OUT_HEADERS =
  /^(:.*|connection|keep-alive|transfer-encoding|upgrade|host|content-length|expect|trailer|te|proxy-.*|http2-settings|cookie|accept-encoding|if-.*|referer|sec-.*|cache-control|pragma|dnt|priority|upgrade-insecure-requests|last-event-id|x-client-data)$/i;
/** RFC 9110 sections 5.6.2 and 5.5, as a scenario may have them. */
const HEADER_NAME = /^[!#$%&'*+.^_`|~0-9A-Za-z-]+$/;
const HEADER_VALUE = /^[\t -~\x80-\xff]*$/;
const MAX_NAME = 80;
/** A message that comes so long after another one is not its response. */
const RESPONSE_MS = 5_000;
export const MAX_MESSAGES = 50;
export const MAX_LONG_LIVED = 5;

/** A part of a file is asked for by its range: without it there is no part, and no part that is not there. */
function isWanted(name: string, { status }: Recorded): boolean {
  return name.toLowerCase() === 'range' ? status === 206 || status === 416 : !LEFT_OUT_HEADERS.test(name);
}

const canBeSent = ([name, value]: readonly [string, string]) => HEADER_NAME.test(name) && HEADER_VALUE.test(value);

/** Header fields that a browser may have sent, and no client of ours can. */
export function listUnsendable(recorded: Recorded): string[] {
  return recorded.headers.filter((field) => isWanted(field[0], recorded) && !canBeSent(field)).map(([name]) => name);
}

function buildHead(recorded: Recorded): Raw {
  const { url, headers, method } = recorded;
  const kept = headers.filter((field) => isWanted(field[0], recorded) && canBeSent(field));
  const isOwnOrigin = (name: string, value: string) =>
    name.toLowerCase() === 'origin' && URL.parse(value)?.host === url.host;
  return {
    name: nameEntry(method, url),
    path: literal(`${url.pathname}${url.search}`),
    ...(kept.length > 0 && {
      headers: Object.fromEntries(
        kept.map(([name, value]) => [name.toLowerCase(), isOwnOrigin(name, value) ? '${origin}' : literal(value)]),
      ),
    }),
  };
}

/** A path may hold what is a secret, such as that of an invitation; it goes into reports by its name. */
export function nameEntry(method: string, { pathname }: URL): string {
  const name = `${method} ${pathname.replace(/(?<=\/)(?=[^/]*\d)[\w.~=-]{24,}(?=\/|$)/g, '…')}`;
  return name.length > MAX_NAME ? `${name.slice(0, MAX_NAME)}…` : name;
}

export function buildRequest(recorded: Recorded): Raw {
  const { method, body, status } = recorded;
  return {
    ...buildHead(recorded),
    method,
    ...(body !== undefined && { body: literal(body) }),
    // A recorded browser had it already, a new client has not.
    expect: { status: status === 304 ? 200 : status },
  };
}

export function buildWebSocket(recorded: Recorded): Raw {
  const { subprotocol, messages } = recorded;
  return {
    ...buildHead(recorded),
    clients: MAX_LONG_LIVED,
    ...(subprotocol !== undefined && HEADER_NAME.test(subprotocol) && { subprotocol }),
    opening: buildScript(listPlayed(messages)),
  };
}

export function buildEventStream(recorded: Recorded): Raw {
  return { ...buildHead(recorded), clients: MAX_LONG_LIVED, maxSilenceSeconds: 60 };
}

export function buildStream(recorded: Recorded): Raw {
  return { ...buildRequest(recorded), clients: MAX_LONG_LIVED, expect: { status: recorded.status } };
}

/** A script sends texts alone: what responds to a binary message would be waited for in vain. */
export function listPlayed(messages: readonly RecordedMessage[]): readonly RecordedMessage[] {
  const end = messages.findIndex(({ isSent, text }) => isSent && text === undefined);
  return messages.slice(0, end === -1 ? MAX_MESSAGES : Math.min(end, MAX_MESSAGES));
}

/** What was sent, and that something came where something came soon after. */
function buildScript(messages: readonly RecordedMessage[]): Raw[] {
  let lastMs = messages[0]?.atMs ?? 0;
  return messages.flatMap(({ isSent, atMs, text = '' }): Raw[] => {
    const isSoon = atMs - lastMs <= RESPONSE_MS;
    lastMs = isSent ? atMs : lastMs;
    if (isSent) return [{ send: literal(text) }];
    return isSoon ? [{ expect: {} }] : [];
  });
}

interface Variable {
  readonly name: string;
  readonly from: number;
  readonly value: string;
}

/** The requests of a recording as steps. Values that one got from an earlier response are taken from it in each run. */
export class RecordedSteps {
  readonly steps: Raw[];
  readonly variables: Variable[] = [];
  /** Secrets that stay as they were recorded: `password (POST /login)`. */
  readonly literalSecrets = new Set<string>();

  constructor(private readonly requests: readonly Recorded[]) {
    this.steps = requests.map(buildRequest);
    requests.forEach((each, index) => {
      this.steps[index] = this.fill(this.steps[index] ?? {}, each, index);
    });
  }

  /** @param before so many requests may have brought its values */
  fill(raw: Raw, recorded: Recorded, before: number): Raw {
    let filled = raw;
    for (const sent of listSent(recorded)) {
      const origin = findOrigin(sent, this.requests.slice(0, before));
      const step = origin && this.steps[origin.from];
      if (step) {
        const variable = this.findVariable(sent, origin.from);
        step.save = { ...(step.save as object | undefined), [variable]: origin.saved };
        filled = withVariable(filled, sent, variable);
      } else if (isSecretName(sent.name)) {
        this.literalSecrets.add(`${sent.name} (${nameEntry(recorded.method, recorded.url)})`);
      }
    }
    return filled;
  }

  private findVariable({ name, value }: Sent, from: number): string {
    const known = this.variables.find((each) => each.from === from && each.value === value);
    if (known) return known.name;
    const wanted = `recorded_${name.replace(/\W/g, '_')}`;
    const isTaken = (tried: string) => this.variables.some((each) => each.name === tried);
    let free = wanted;
    for (let n = 2; isTaken(free); n += 1) free = `${wanted}_${n}`;
    this.variables.push({ name: free, from, value });
    return free;
  }
}

/** In its path, its header fields, its body and its messages: a number where it was found, anything else wherever it stands by itself. */
function withVariable(raw: Raw, sent: Sent, variable: string): Raw {
  const { path, headers, body, opening } = raw;
  const isHere = (place: Sent['place']) => !isNumber(sent.value) || sent.place === place;
  const replace = (text: unknown) => fillIn(text as string, sent, `\${${variable}}`);
  return {
    ...raw,
    ...((isHere('path') || isHere('query')) && { path: replace(path) }),
    ...(headers !== undefined &&
      isHere('header') && {
        headers: Object.fromEntries(Object.entries(headers as object).map(([name, text]) => [name, replace(text)])),
      }),
    ...(body !== undefined && isHere('body') && { body: replace(body) }),
    ...(opening !== undefined &&
      isHere('message') && {
        opening: (opening as Raw[]).map((step) => ('send' in step ? { ...step, send: replace(step.send) } : step)),
      }),
  };
}

function fillIn(text: string, { name, value, place }: Sent, variable: string): string {
  if (isNumber(value)) return text.replace(numberIn(place, name, value), (_, before: string) => `${before}${variable}`);
  const forms = [...new Set([value, encodeURIComponent(value)])].map(literal);
  return forms.reduce((filled, form) => filled.replace(alone(form), () => variable), text);
}

function alone(text: string): RegExp {
  return new RegExp(`(?<![\\w{])${escapeForm(text)}(?![\\w}])`, 'g');
}

/** A segment of a path, or the value of its own name: `page=3` is not the product 3. */
function numberIn(place: Sent['place'], name: string, value: string): RegExp {
  if (place === 'path') return new RegExp(`(^[^?]*/)${value}(?=[/?]|$)`, 'g');
  return new RegExp(`((?:^|[?&"])${escapeForm(name)}(?:=|"\\s*:\\s*"?))${value}(?![\\w.])`, 'g');
}
