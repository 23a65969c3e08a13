/** What of a recorded response values can be taken from. */
export interface SavedSource {
  /** Empty of what is no text that a token may be in, such as a script. */
  readonly body: string;
  readonly isJson: boolean;
  /** Of JSON: where each text and number is, as pointers (RFC 6901). Read when it is first asked for. */
  readonly pointers: () => ReadonlyMap<string, readonly string[]>;
  /** That it set, by name. */
  readonly cookies: ReadonlyMap<string, string>;
  /** It responds to a request that may have made something. */
  readonly changes: boolean;
}

export interface Recorded {
  readonly method: string;
  readonly url: URL;
  readonly startedMs: number;
  readonly headers: readonly (readonly [name: string, value: string])[];
  readonly body: string | undefined;
  /** It had a body, which is not in the recording as a text. */
  readonly isBinary: boolean;
  /** Nothing says whether it had one. */
  readonly mayHaveBody: boolean;
  /** 0 of no response. */
  readonly status: number;
  readonly mimeType: string;
  /** Where a redirect leads. */
  readonly redirect: URL | undefined;
  /** Of a WebSocket: the one that was chosen. */
  readonly subprotocol: string | undefined;
  readonly source: SavedSource;
  /** Of a WebSocket. */
  readonly messages: readonly RecordedMessage[];
}

export interface RecordedMessage {
  readonly isSent: boolean;
  readonly atMs: number;
  /** Undefined of a binary one. */
  readonly text: string | undefined;
}

type Json = Readonly<Record<string, unknown>>;

const isObject = (value: unknown): value is Json =>
  typeof value === 'object' && value !== null && !Array.isArray(value);
const asObject = (value: unknown): Json => (isObject(value) ? value : {});
const asList = (value: unknown): readonly Json[] => (Array.isArray(value) ? value.filter(isObject) : []);
const asText = (value: unknown): string => (typeof value === 'string' ? value : '');

/**
 * What a browser recorded, in the order of the requests.
 *
 * @see http://www.softwareishard.com/blog/har-12-spec/
 * @returns undefined of what is no HAR
 */
export function readHar(har: unknown): Recorded[] | undefined {
  const { log } = asObject(har);
  if (!isObject(log) || !Array.isArray(log.entries)) return undefined;
  const recorded = asList(log.entries).flatMap((entry) => readEntry(entry) ?? []);
  return recorded.sort((one, other) => one.startedMs - other.startedMs);
}

function readEntry(entry: Json): Recorded | undefined {
  const request = asObject(entry.request);
  const response = asObject(entry.response);
  const content = asObject(response.content);
  const url = URL.parse(asText(request.url));
  if (!url || !/^(http|ws)s?:$/.test(url.protocol)) return undefined;
  const mimeType = (asText(content.mimeType).split(';')[0] ?? '').trim().toLowerCase();
  const method = asText(request.method).toUpperCase();
  return {
    method,
    url,
    startedMs: Date.parse(asText(entry.startedDateTime)) || 0,
    headers: readPairs(request.headers),
    ...readBody(request, method),
    // Some tools write -1 where there was none.
    status: Math.max(0, Number(response.status) || 0),
    mimeType,
    redirect: readRedirect(response, url),
    subprotocol: findField(response.headers, 'sec-websocket-protocol'),
    source: {
      ...readSource(content, mimeType),
      cookies: new Map(readPairs(response.headers).filter(([name]) => name.toLowerCase() === 'set-cookie').flatMap(([, value]) => value.split('\n').map(readCookie))), // prettier-ignore
      changes: method !== 'GET' && method !== 'HEAD',
    },
    messages: asList(entry._webSocketMessages).filter(({ opcode }) => opcode === 1 || opcode === 2).map((message) => ({
      isSent: message.type === 'send',
      atMs: Number(message.time) * 1000,
      text: message.opcode === 1 ? asText(message.data) : undefined,
    })), // prettier-ignore
  };
}

function readPairs(list: unknown): [string, string][] {
  return asList(list).map(({ name, value }) => [asText(name), asText(value)]);
}

function readSource(content: Json, mimeType: string): Pick<SavedSource, 'body' | 'isJson' | 'pointers'> {
  const isText = content.encoding !== 'base64' && !/script|css|font|image|audio|video/.test(mimeType);
  const body = isText ? asText(content.text) : '';
  const isJson = /[/+]json$/.test(mimeType);
  let found: Map<string, string[]> | undefined;
  return { body, isJson, pointers: () => (found ??= isJson ? listPointers(body) : new Map<string, string[]>()) };
}

function listPointers(body: string): Map<string, string[]> {
  const pointers = new Map<string, string[]>();
  const list = (value: unknown, pointer: string): void => {
    if (typeof value === 'string' || typeof value === 'number') {
      const known = pointers.get(`${value}`);
      if (known) known.push(pointer);
      else pointers.set(`${value}`, [pointer]);
    } else if (typeof value === 'object' && value !== null) {
      for (const [name, item] of Object.entries(value)) {
        list(item, `${pointer}/${name.replaceAll('~', '~0').replaceAll('/', '~1')}`);
      }
    }
  };
  try {
    list(JSON.parse(body), '');
  } catch {
    // What says that it is JSON and is none has no values.
  }
  return pointers;
}

function findField(list: unknown, wanted: string): string | undefined {
  return readPairs(list).find(([name]) => name.toLowerCase() === wanted)?.[1];
}

function readRedirect({ status, headers, redirectURL }: Json, url: URL): URL | undefined {
  if (typeof status !== 'number' || status < 300 || status > 399) return undefined;
  const to = asText(redirectURL) || findField(headers, 'location');
  return to === undefined ? undefined : (URL.parse(to, url.href) ?? undefined);
}

function readCookie(field: string): [string, string] {
  const [pair = ''] = field.split(';');
  const at = pair.indexOf('=');
  return [pair.slice(0, at).trim(), pair.slice(at + 1).trim()];
}

type Body = Pick<Recorded, 'body' | 'isBinary' | 'mayHaveBody'>;

const NO_BODY: Body = { body: undefined, isBinary: false, mayHaveBody: false };

function readBody(request: Json, method: string): Body {
  // The scenario has none for HEAD, and no server reads one.
  if (method === 'HEAD') return NO_BODY;
  const postData = asObject(request.postData);
  const text = asText(postData.text);
  // Browsers write what is no text as Latin-1, in Base64, or not at all.
  const isText = !('encoding' in postData) && !text.includes('\ufffd') && !text.includes('\u0000');
  if (text !== '') return isText ? { ...NO_BODY, body: text } : { ...NO_BODY, isBinary: true };
  const params = readPairs(postData.params);
  if (params.length > 0 && /^application\/x-www-form-urlencoded/i.test(asText(postData.mimeType))) {
    return { ...NO_BODY, body: params.map((pair) => pair.map(encodeURIComponent).join('=')).join('&') };
  }
  return params.length > 0 ? { ...NO_BODY, isBinary: true } : findUnrecordedBody(request, method);
}

/** A size of -1 says nothing. */
function findUnrecordedBody({ headers, postData, bodySize }: Json, method: string): Body {
  const length = findField(headers, 'content-length');
  const size = length === undefined ? Number(bodySize ?? -1) : Number(length);
  if (size === 0 || !['POST', 'PUT', 'PATCH'].includes(method)) return { ...NO_BODY, isBinary: size > 0 };
  const isBinary = size > 0 || isObject(postData) || findField(headers, 'content-type') !== undefined;
  return { ...NO_BODY, isBinary, mayHaveBody: !isBinary };
}
