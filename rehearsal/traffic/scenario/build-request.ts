import type { Step } from '../../../core/scenario/scenario';
import { Variables, fillJson, fillText, listVariables } from '../../../core/scenario/variables';

type Body = Pick<Step, 'body' | 'json' | 'form'>;
type Asked = Body & Pick<Step, 'path' | 'headers'>;

/** A request of a scenario with the values of its client. */
export interface BuiltRequest {
  readonly path: string;
  readonly headers: Readonly<Record<string, string>>;
  readonly body?: string;
}

export function buildRequest({ path, headers, ...body }: Asked, values: Variables): BuiltRequest {
  const built = buildBody(body, values);
  const own = buildHeaders(headers, values);
  return {
    path: encodeSpaces(fillText(path, values)),
    // HTTP/2 knows lower case alone, and a field of the file is the one that counts.
    headers: { ...(built && { 'content-type': built.type }), ...own },
    ...(built && { body: built.text }),
  };
}

export function buildHeaders(headers: Readonly<Record<string, string>>, values: Variables): Record<string, string> {
  return Object.fromEntries(
    Object.entries(headers).map(([name, value]) => [name.toLowerCase(), fillText(value, values)]),
  );
}

function buildBody({ body, json, form }: Body, values: Variables): { text: string; type: string } | undefined {
  if (body !== undefined) return { text: fillText(body, values), type: 'text/plain; charset=utf-8' };
  if (json !== undefined) return { text: JSON.stringify(fillJson(json, values)), type: 'application/json' };
  const fields = Object.entries(form).map(([name, value]): [string, string] => [name, fillText(value, values)]);
  if (fields.length === 0) return undefined;
  return { text: new URLSearchParams(fields).toString(), type: 'application/x-www-form-urlencoded' };
}

/** A value may have what a path may not. */
export function encodeSpaces(path: string): string {
  return path.replace(/[^!-~]/gu, encodeURIComponent);
}

/** A variable of the request that no response has brought yet. */
export function findMissing(request: unknown, values: Variables): string | undefined {
  return listVariables(request).find((name) => !Object.hasOwn(values, name));
}
