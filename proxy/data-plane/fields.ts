/** Header fields by lower-case name; a list is sent as one line an item. */
export type Fields = Record<string, string | string[] | undefined>;

/** Fields of one connection, which a proxy never passes on (RFC 9110 section 7.6.1, and HTTP/2's own of RFC 9113 section 8.2.2). */
const HOP_BY_HOP = new Set([
  'connection',
  'http2-settings',
  'keep-alive',
  'proxy-authenticate',
  'proxy-authentication-info',
  'proxy-authorization',
  'proxy-connection',
  'te',
  'transfer-encoding',
  'upgrade',
]);

/**
 * What `Connection` may not name. A client that could strip these on their way would choose what the backend believes
 * about it: its identity, its address, or where a message ends.
 */
const END_TO_END =
  /^(host|content-.*|authorization|www-authenticate|cookie|set-cookie|forwarded|via|x-forwarded-.*|x-real-ip|x-amzn-.*|x-drainshift-.*)$/;

/** Fields that say how a message is framed, routed or authenticated, and by whom: not allowed in trailers (RFC 9110 section 6.5.1). */
const NOT_IN_TRAILERS =
  /^(host|content-(length|encoding|type|range)|trailer|authorization|forwarded|via|x-forwarded-.*|x-real-ip|x-amzn-.*|x-drainshift-.*|cookie|set-cookie|cache-control|expect|max-forwards|range|age|date|expires|location|retry-after|vary|www-authenticate)$/;

/** How a message's end is found by whoever receives it. */
export type Framing = 'none' | 'length' | 'chunked';

/** The end-to-end fields of a message. HTTP/2's pseudo fields are left out. */
export function endToEnd(received: Fields): Fields {
  const named = connectionOptions(received);
  const kept: Fields = {};
  for (const [name, value] of Object.entries(received)) {
    if (name.startsWith(':') || HOP_BY_HOP.has(name)) continue;
    if (named.has(name) && !END_TO_END.test(name)) continue;
    kept[name] = value;
  }
  return kept;
}

/**
 * The fields of a request to an HTTP/1.1 upstream. Framing is made anew and never copied; `replaced` takes the place of
 * what the client sent, and undefined there removes it.
 */
export function requestFields(received: Fields, framing: Framing, replaced: Fields): Fields {
  const fields = endToEnd(received);
  if (framing !== 'length' && !(framing === 'none' && fields['content-length'] === '0'))
    delete fields['content-length'];
  if (framing === 'chunked') fields['transfer-encoding'] = 'chunked';
  else delete fields.trailer;
  // Of all that TE can say only this may pass, and as a field of this hop it is named again in Connection.
  if (tokens(received.te).includes('trailers')) {
    fields.te = 'trailers';
    fields.connection = 'keep-alive, te';
  }
  Object.assign(fields, replaced);
  for (const [name, value] of Object.entries(fields)) if (value === undefined) delete fields[name];
  return fields;
}

/** The fields of an answer to the client. `hasTrailers` is whether this hop's framing can carry trailers. */
export function answerFields(received: Fields, status: number, hasTrailers: boolean): Fields {
  const fields = endToEnd(received);
  // RFC 9110 section 8.6: no Content-Length in a 204.
  if (status === 204) delete fields['content-length'];
  if (!hasTrailers) delete fields.trailer;
  return fields;
}

export function trailerFields(received: Fields): Record<string, string> {
  const fields = endToEnd(received);
  const kept = Object.entries(fields).filter(([name, value]) => value !== undefined && !NOT_IN_TRAILERS.test(name));
  return Object.fromEntries(kept) as Record<string, string>;
}

/** Adds fields next to those of the same name. */
export function append(fields: Fields, more: Readonly<Record<string, string | string[]>>): void {
  for (const [name, value] of Object.entries(more)) {
    const key = name.toLowerCase();
    const present = fields[key];
    fields[key] = present === undefined ? value : [present, value].flat();
  }
}

/** The comma-separated tokens of a field, in lower case. */
export function tokens(value: string | string[] | undefined): string[] {
  if (value === undefined) return [];
  const text = Array.isArray(value) ? value.join(',') : value;
  return text.split(',').map((token) => token.trim().toLowerCase());
}

/** How often a field stands in a head as it came over the wire; names and values alternate in `rawHeaders`. */
export function occurrences(rawHeaders: readonly string[], name: string): number {
  let count = 0;
  for (let index = 0; index < rawHeaders.length; index += 2) {
    if (rawHeaders[index]?.toLowerCase() === name) count += 1;
  }
  return count;
}

function connectionOptions(received: Fields): Set<string> {
  return new Set(tokens(received.connection));
}
