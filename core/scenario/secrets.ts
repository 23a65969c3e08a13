/** A report is passed on: values under such names are not for it. */
const SECRET =
  /pass(?!eng|iv)|pwd|secret|token|csrf|xsrf|session|sess_?id|authori[sz]ation|jwt|bearer|api-?_?key|access-?_?key|private-?_?key|credential|cookie|signature|^(connect\.)?sid$/i;

/** Stands in the place of what is not shown. */
const HIDDEN = '***';

const QUOTE = String.raw`(?:\\*["']|&quot;|&#3[49];)`;
/** A name of JSON, a form, a cookie, a query, a header field or a log, to where its value begins. */
const NAME = new RegExp(String.raw`(?<![\w.%[\]-])([\w.%[\]-]{1,100})(${QUOTE}?\s{0,3}[:=]\s{0,3})`, 'g');
/** Its value in quotes, also when the end is cut off; escaped ones and those of HTML reach to the next of their kind. */
const QUOTED = new RegExp(
  String.raw`"(?:[^"\\]|\\.)*(?:"|$)|'(?:[^'\\]|\\.)*(?:'|$)|${QUOTE}[^]*?(?:${QUOTE}|$)|[[{][^]*`,
  'y',
);
/** One without quotes: a header field ends with its line, anything else before what separates it from the next. */
const FIELD = /[^\r\n]*/y;
const UNQUOTED = /[^&;,<>"'\s}\]]*/y;
/** `<input name="csrf" value="…">`, `<meta name="csrf-token" content="…">`. */
const TAG = /<[a-z][^<>]{0,2000}>?/gi;
const TAG_VALUE = /\b(value|content|data-[\w-]+)(\s*=\s*)("[^"]*(?:"|$)|'[^']*(?:'|$)|[^\s>]+)/gi;
/** What is a secret wherever it stands: credentials of HTTP (RFC 9110 section 11), a JSON Web Token (RFC 7519). */
const CREDENTIALS = /\b(Bearer|Basic) +[\w.~+/=-]{6,}/gi;
const JSON_WEB_TOKEN = /\beyJ[\w-]{6,}(\.[\w-]*){0,4}/g;

export function isSecretName(name: string): boolean {
  return SECRET.test(name);
}

/** A text without what is under the name of a secret, or is one by its looks. */
export function hideSecrets(text: string): string {
  return hideInDocument(text) ?? hideInText(text);
}

/** JSON that can be read has ends; what has no secret stays as it is written. */
function hideInDocument(text: string): string | undefined {
  if (!/^\s*[[{]/.test(text)) return undefined;
  try {
    const value = JSON.parse(text) as unknown;
    const shown = JSON.stringify(hideInJson(value));
    return shown === JSON.stringify(value) ? text : shown;
  } catch {
    return undefined;
  }
}

function hideInText(text: string): string {
  return hideNamed(text.replace(TAG, hideInTag))
    .replace(CREDENTIALS, (_, scheme: string) => `${scheme} ${HIDDEN}`)
    .replace(JSON_WEB_TOKEN, HIDDEN);
}

function hideInTag(tag: string): string {
  if (!SECRET.test(tag)) return tag;
  return tag.replace(TAG_VALUE, (_, name: string, is: string) => `${name}${is}"${HIDDEN}"`);
}

function hideNamed(text: string): string {
  let shown = '';
  let from = 0;
  for (const { 0: whole, 1: name = '', 2: is = '', index } of text.matchAll(NAME)) {
    const start = index + whole.length;
    if (start < from || !SECRET.test(name)) continue;
    const value = readAt(QUOTED, text, start) ?? readAt(is.trim() === ':' ? FIELD : UNQUOTED, text, start) ?? '';
    shown += `${text.slice(from, start)}${isHarmless(value) ? value : HIDDEN}`;
    from = start + value.length;
  }
  return `${shown}${text.slice(from)}`;
}

function readAt(form: RegExp, text: string, at: number): string | undefined {
  form.lastIndex = at;
  return form.exec(text)?.[0];
}

/** They say whether there is one, and not which. */
function isHarmless(value: string): boolean {
  return /^(true|false|null|""|''|)$/.test(value.trim());
}

/** A value of JSON without its secrets. */
export function hideInJson(value: unknown): unknown {
  if (typeof value === 'string') return hideSecrets(value);
  if (Array.isArray(value)) return value.map(hideInJson);
  if (typeof value !== 'object' || value === null) return value;
  return Object.fromEntries(Object.entries(value).map(([name, item]) => [name, hideUnder(name, item)]));
}

/** The same of a value that is under a name. */
export function hideUnder(name: string, value: unknown): unknown {
  const isShown = typeof value === 'boolean' || value === null || value === undefined || value === '';
  return SECRET.test(name) && !isShown ? HIDDEN : hideInJson(value);
}
