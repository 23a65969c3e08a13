import { CONNECTION, FieldLines, tokens } from './field-lines';

/** What `Connection` says. */
export interface ConnectionOptions {
  readonly keepAlive: boolean;
  readonly close: boolean;
  readonly upgrade: boolean;
  /** Other fields that it names, which go no further. */
  readonly named: ReadonlySet<string> | undefined;
}

const NONE: ConnectionOptions = { keepAlive: false, close: false, upgrade: false, named: undefined };
const KEEP_ALIVE: ConnectionOptions = { ...NONE, keepAlive: true };

/**
 * What a client's `Connection` may name beside the fields of one connection that never go further: fields that their own
 * specifications have named there (RFC 2227 section 5, RFC 2774 section 4.2). RFC 9110 section 7.6.1 has no such list, and a client that may name
 * any field strips those that tell the backend who the edge, or the client, is.
 */
const NAMED_BY_CLIENTS: ReadonlySet<string> = new Set(['meter', 'c-man', 'c-opt', 'c-ext']);

/** What an upstream's may not name: it would be a response with another meaning. All else is its own to say. */
const NOT_NAMED_BY_UPSTREAMS =
  /^(close|keep-alive|te|upgrade|host|content-.*|authorization|www-authenticate|cookie|set-cookie|forwarded|via|traceparent|x-forwarded-.*|x-real-ip|x-amzn-.*|x-drainshift-.*)$/;

/** Those of a request. */
export function requestOptions(lines: FieldLines): ConnectionOptions {
  return readOptions(lines, (name) => NAMED_BY_CLIENTS.has(name));
}

/** Those of a response. */
export function respondToOptions(lines: FieldLines): ConnectionOptions {
  return readOptions(lines, (name) => name !== '' && !NOT_NAMED_BY_UPSTREAMS.test(name));
}

function readOptions(lines: FieldLines, isNamed: (name: string) => boolean): ConnectionOptions {
  const value = lines.known(CONNECTION);
  if (value === undefined) return NONE;
  if (value === 'keep-alive') return KEEP_ALIVE;
  const options = tokens(value);
  const named = options.filter(isNamed);
  return {
    keepAlive: options.includes('keep-alive'),
    close: options.includes('close'),
    upgrade: options.includes('upgrade'),
    named: named.length === 0 ? undefined : new Set(named),
  };
}
