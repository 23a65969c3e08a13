import { resolve } from 'node:path';
import { pathToFileURL } from 'node:url';
import type { OutgoingRequest } from '../core/replay/outgoing';
import type { Transform } from './replay';

/** A module whose default export gets a request and returns what is sent, or undefined for nothing. @throws Error of one that has none */
export async function loadTransform(path: string): Promise<Transform> {
  const url = pathToFileURL(resolve(path)).href;
  let loaded: { readonly default?: unknown };
  try {
    loaded = (await import(url)) as typeof loaded;
  } catch (error) {
    throw new Error(`'--transform' must be a module that can be loaded, got '${path}' (${(error as Error).message})`);
  }
  const transform = loaded.default;
  if (typeof transform !== 'function')
    throw new Error(
      `'--transform' must be a module whose default export is a function, got '${path}' with ${typeof transform}`,
    );
  return async (request, { id, message }) => {
    const asked = {
      ...request,
      headers: request.headers.map(([name, value]) => [name, value]),
      body: Buffer.from(request.body),
      id,
      recordedAt: new Date(message.firstByteMs),
    };
    const changed = (await (transform as (request: object) => unknown)(asked)) as
      Partial<OutgoingRequest> | null | undefined;
    return changed === undefined || changed === null ? undefined : check(changed);
  };
}

/** @throws Error that says what is wrong with it: name, rule, value */
function check({ method, path, headers, body }: Partial<Record<keyof OutgoingRequest, unknown>>): OutgoingRequest {
  if (typeof method !== 'string' || method === '') throw new Error(`'method' must be a text, got ${typeof method}`);
  if (typeof path !== 'string' || !/^[/*][!-~]*$/.test(path))
    throw new Error(`'path' must start with '/', got ${JSON.stringify(path)}`);
  if (!isHeaderList(headers))
    throw new Error(`'headers' must be a list of [name, value], got ${JSON.stringify(headers)}`);
  const bytes = typeof body === 'string' ? Buffer.from(body) : body;
  if (!(bytes instanceof Uint8Array)) throw new Error(`'body' must be a Buffer or a text, got ${typeof body}`);
  // A body that was changed has another length.
  const rest = headers.filter(([name]) => name.toLowerCase() !== 'content-length');
  const hadLength = rest.length < headers.length || bytes.length > 0;
  return { method, path, headers: hadLength ? [...rest, ['Content-Length', String(bytes.length)]] : rest, body: bytes };
}

function isHeaderList(value: unknown): value is OutgoingRequest['headers'] {
  const isPair = (each: unknown) =>
    Array.isArray(each) && each.length === 2 && each.every((part) => typeof part === 'string');
  return Array.isArray(value) && value.every(isPair);
}
