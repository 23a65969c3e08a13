import { CutoverError } from '../errors/errors';
import { listPairs, readStyle, show, writeValue } from './openapi-values';
import { parseScenario } from './scenario';
import { literal } from './variables';

type Json = Readonly<Record<string, unknown>>;

/** How a value is made up of a schema: of its examples, defaults, formats and bounds. */
export type Sample = (schema: object) => unknown;

export interface ConvertedOpenApi {
  /** A scenario as a file has it, not yet checked. */
  readonly value: Readonly<Record<string, unknown>>;
  /** What a person should look at, one line each. */
  readonly notes: readonly string[];
}

/** What of an OpenAPI document cannot be read. */
export class OpenApiProblem extends Error {}

const READS = ['get'];
const WRITES = ['post', 'put', 'patch', 'delete'];
const MAX_REFERENCES = 50;
/** As many as a scenario may have of each kind. */
const MAX_ENTRIES = 1_000;
const NO_HOST = 'server.invalid';
const EVENTS = 'text/event-stream';
const STREAMED = [EVENTS, 'application/x-ndjson', 'application/jsonl', 'application/json-seq'];

const isObject = (value: unknown): value is Json =>
  typeof value === 'object' && value !== null && !Array.isArray(value);
const asObject = (value: unknown): Json => (isObject(value) ? value : {});
const asList = (value: unknown): readonly unknown[] => (Array.isArray(value) ? value : []);

/**
 * A scenario with each operation of an OpenAPI 3 document: its path, required parameters and body by their examples, defaults
 * and schemas, and the first status that says that all is well.
 *
 * @param includesWrites whether it has POST, PUT, PATCH and DELETE, too
 * @throws OpenApiProblem
 * @see https://spec.openapis.org/oas/v3.1.1.html
 */
export function convertOpenApi(document: unknown, includesWrites: boolean, sample: Sample): ConvertedOpenApi {
  const root = asObject(document);
  const version = root.openapi ?? root.swagger;
  if (typeof root.openapi !== 'string' || !root.openapi.startsWith('3.')) {
    const got = typeof version === 'string' ? `version ${version}` : 'none';
    throw new OpenApiProblem(`a document of OpenAPI 3, got ${got}`);
  }
  const api = new Api(root, sample);
  const methods = includesWrites ? [...READS, ...WRITES] : READS;
  for (const [path, given] of Object.entries(asObject(root.paths))) {
    const item = api.resolve(given);
    for (const method of methods.filter((each) => isObject(item[each]))) api.add(path, method, item);
  }
  const { requests, eventStreams, streams, notes, problem } = api;
  if (requests.length + eventStreams.length + streams.length === 0) {
    throw (
      problem ?? new OpenApiProblem(`a document with an operation of ${methods.join(', ').toUpperCase()}, got none`)
    );
  }
  const all = Object.entries({ requests, eventStreams, streams }).filter(
    ([name, { length }]) => name === 'requests' || length > 0,
  );
  const value = Object.fromEntries(all.map(([name, list]) => [name, list.slice(0, MAX_ENTRIES)]));
  const beyond = all.map(([, { length }]) => Math.max(0, length - MAX_ENTRIES)).reduce((sum, count) => sum + count, 0);
  const cut = beyond === 0 ? [] : [`${beyond} operations beyond the first 1,000 are left out`];
  return { value, notes: [...cut, ...notes] };
}

class Api {
  readonly notes: string[] = [];
  readonly requests: Json[] = [];
  readonly eventStreams: Json[] = [];
  readonly streams: Json[] = [];
  /** The first one, because of which an operation was left out. */
  problem: OpenApiProblem | undefined;

  constructor(
    private readonly root: Json,
    private readonly sample: Sample,
  ) {}

  /** @throws OpenApiProblem of a reference to another file, to nothing, or to itself */
  resolve(value: unknown): Json {
    let found = asObject(value);
    for (let count = 0; typeof found.$ref === 'string'; count += 1) {
      const { $ref } = found;
      if (!$ref.startsWith('#/')) {
        throw new OpenApiProblem(`one document without references to other files (bundle them first), got '${$ref}'`);
      }
      const target = splitPointer($ref).reduce<unknown>(
        (at, part) => (isObject(at) && Object.hasOwn(at, part) ? at[part] : undefined),
        this.root,
      );
      if (!isObject(target) || count > MAX_REFERENCES) {
        throw new OpenApiProblem(`a document whose references lead somewhere, got '${$ref}'`);
      }
      found = target;
    }
    return found;
  }

  /** One request, or one with a response that streams; none where it cannot be made up. */
  add(template: string, method: string, item: Json): void {
    const title = `${method.toUpperCase()} ${template}`;
    const before = this.notes.length;
    try {
      this.convert(template, method, item, title);
    } catch (error) {
      if (!(error instanceof OpenApiProblem)) throw error;
      this.problem ??= error;
      this.notes.splice(before, this.notes.length, `${title}: left out, because it must be ${error.message}`);
    }
  }

  private convert(template: string, method: string, item: Json, title: string): void {
    const operation = asObject(item[method]);
    const body = this.buildBody(operation, title);
    if (body === undefined) return;
    this.noteSecurity(operation, title);
    const parameters = this.listParameters(item, operation);
    const of = (place: string) => parameters.filter((parameter) => parameter.in === place);
    const headers = of('header')
      .filter(({ name }) => !/^(accept|content-type|authorization|cookie)$/i.test(String(name)))
      .map((each): [string, string] => [
        String(each.name),
        literal(writeValue(String(each.name), this.findValue(each, title), readStyle(each, 'simple'))),
      ]);
    const path = of('path').map((each): [string, string] => [
      String(each.name),
      writeValue(String(each.name), this.findValue(each, title), readStyle(each, 'simple'), encodeURIComponent),
    ]);
    const query = of('query').flatMap((each) =>
      listPairs(String(each.name), this.findValue(each, title), readStyle(each, 'form')),
    );
    for (const { name } of of('cookie')) this.notes.push(`${title}: the cookie ${String(name)} is not set`);
    if (of('header').some(({ name }) => /^cookie$/i.test(String(name))))
      this.notes.push(`${title}: the header field Cookie is not set; 'cookies' of the scenario can`);
    const { headers: bodyHeaders, ...content } = body;
    const all = { ...Object.fromEntries(headers), ...asObject(bodyHeaders) };
    const server = this.findServer(item, operation, title);
    const request = {
      name: findName(operation, title),
      path: `${server}${fillPath(template, path)}${query.length === 0 ? '' : `?${literal(new URLSearchParams(query).toString())}`}`,
      ...(Object.keys(all).length > 0 && { headers: all }),
    };
    this.put(request, { method: method.toUpperCase(), ...content }, asObject(operation.responses));
  }

  /** What streams has no end that a plain request could wait for. */
  private put(request: Json, { method, ...content }: Json, responses: Json): void {
    const status = findStatus(responses);
    const good =
      responses[`${status}`] ??
      responses[`${Math.floor(status / 100)}XX`] ??
      responses[`${Math.floor(status / 100)}xx`];
    const types = Object.keys(asObject(this.resolve(good).content)).map(
      (type) => type.split(';')[0]?.trim().toLowerCase() ?? '',
    );
    const streams = types.length > 0 && types.every((type) => STREAMED.includes(type));
    const asked = { ...request, method, ...content, expect: { status } };
    if (!streams) this.keep('requests', asked);
    else if (method === 'GET' && types.includes(EVENTS) && status === 200) this.keep('eventStreams', request);
    else this.keep('streams', asked);
  }

  /** @throws OpenApiProblem of one that breaks a rule of scenarios: the others are of use without it */
  private keep(kind: 'requests' | 'eventStreams' | 'streams', entry: Json): void {
    try {
      parseScenario({ requests: [{ path: '/' }], [kind]: [entry] });
    } catch (error) {
      if (!(error instanceof CutoverError)) throw error;
      const [first = ''] = error.message.replaceAll(`${kind}[0].`, '').split('\n');
      throw new OpenApiProblem(`what a scenario can have: ${first}`);
    }
    this[kind].push(entry);
  }

  /** The path of the server, of the operation before that of its path and that of all; a name that is left open has its default. */
  private findServer(item: Json, operation: Json, title: string): string {
    const usual = findUrl(this.root);
    const url = [operation, item].find(({ servers }) => asList(servers).length > 0);
    const found = url ? findUrl(url) : usual;
    if (found.host !== usual.host && found.host !== NO_HOST) {
      this.notes.push(`${title}: its server is ${found.host}, and it is sent to the application that is rehearsed`);
    }
    return found.pathname.replace(/\/$/, '');
  }

  /** Those of the path and those of the operation, which count; the required ones alone. */
  private listParameters(item: Json, operation: Json): Json[] {
    const all = new Map<string, Json>();
    for (const given of [...asList(item.parameters), ...asList(operation.parameters)]) {
      const parameter = this.resolve(given);
      all.set(`${String(parameter.in)} ${String(parameter.name)}`, parameter);
    }
    return [...all.values()].filter((parameter) => parameter.in === 'path' || parameter.required === true);
  }

  /** What has a media type is written in that: JSON. */
  private findValue(parameter: Json, title: string): unknown {
    const value = this.findPlainValue(parameter, title);
    return isObject(parameter.content) ? show(value) : value;
  }

  private findPlainValue(parameter: Json, title: string): unknown {
    const content = asObject(Object.values(asObject(parameter.content))[0]);
    const given = this.findExample(parameter) ?? this.findExample(content);
    if (given !== undefined) return given;
    const schema = asObject(parameter.schema ?? content.schema);
    const resolved = this.resolve(schema);
    const known = ['example', 'examples', 'default', 'enum', 'const'].some((name) => resolved[name] !== undefined);
    if (!known) this.notes.push(`${title}: the value of '${String(parameter.name)}' is made up`);
    return this.makeUp(schema);
  }

  /** @throws OpenApiProblem of a schema that cannot be read, such as one with a reference to nothing */
  private makeUp(schema: Json): unknown {
    try {
      return this.sample(schema);
    } catch (error) {
      throw new OpenApiProblem(`with schemas that can be read, got '${(error as Error).message}'`);
    }
  }

  private findExample({ example, examples }: Json): unknown {
    if (example !== undefined) return example;
    const [first] = Object.values(asObject(examples));
    return first === undefined ? undefined : this.resolve(first).value;
  }

  /** @returns undefined of a body that is neither JSON nor a form */
  private buildBody(operation: Json, title: string): Json | undefined {
    const content = asObject(this.resolve(operation.requestBody).content);
    const types = Object.keys(content);
    if (types.length === 0) return {};
    const json = types.find((type) => /^application\/(.+\+)?json\b/i.test(type));
    const form = types.find((type) => /^application\/x-www-form-urlencoded\b/i.test(type));
    const type = json ?? form;
    if (type === undefined) {
      this.notes.push(`${title}: left out, because its body is ${types.join(', ')}`);
      return undefined;
    }
    const media = asObject(content[type]);
    const body = this.findExample(media) ?? this.makeUp(asObject(media.schema));
    if (json === undefined) return buildForm(asObject(body), asObject(media.encoding), type);
    return { json: literalJson(body), ...(json !== 'application/json' && { headers: { 'content-type': json } }) };
  }

  private noteSecurity(operation: Json, title: string): void {
    const required = asList(operation.security ?? this.root.security).map((each) => Object.keys(asObject(each)));
    if (required.length === 0 || required.some((names) => names.length === 0)) return;
    this.notes.push(
      `${title}: needs ${required.map((names) => names.join(' and ')).join(' or ')}; let 'start' log in, or set a header`,
    );
  }
}

function findName({ operationId }: Json, title: string): string {
  return (typeof operationId === 'string' && operationId !== '' ? operationId : title).slice(0, 100);
}

/** @see RFC 6901 section 6 */
function splitPointer(reference: string): string[] {
  try {
    return reference.slice(2).split('/').map((part) => decodeURIComponent(part).replaceAll('~1', '/').replaceAll('~0', '~')); // prettier-ignore
  } catch {
    throw new OpenApiProblem(`a document whose references can be read, got '${reference}'`);
  }
}

/** Of the first server of a document, a path or an operation. */
function findUrl({ servers }: Json): URL {
  const server = asObject(asList(servers)[0]);
  const url = typeof server.url === 'string' ? server.url : '/';
  const filled = url.replace(/\{([^{}]+)\}/g, (_, name: string) =>
    show(asObject(asObject(server.variables)[name]).default),
  );
  return URL.parse(filled, `http://${NO_HOST}/`) ?? new URL(`http://${NO_HOST}/`);
}

function fillPath(template: string, values: readonly [string, string][]): string {
  const byName = new Map(values);
  const filled = template.replace(/\{([^{}]+)\}/g, (_, name: string) => byName.get(name) ?? encodeURIComponent(name));
  return literal(filled.replace(/[^!-~]/gu, encodeURIComponent));
}

/** A field that is there more than once, or in parts, is no field of a scenario's form. */
function buildForm(body: Json, encoding: Json, type: string): Json {
  const fields = Object.entries(body);
  const isPlain = fields.every(([, value]) => typeof value !== 'object' || value === null);
  if (isPlain) return { form: Object.fromEntries(fields.map(([name, value]) => [name, literal(show(value))])) };
  const pairs = fields.flatMap(([name, value]) => listPairs(name, value, readStyle(asObject(encoding[name]), 'form')));
  return { body: literal(new URLSearchParams(pairs).toString()), headers: { 'content-type': type } };
}

function literalJson(value: unknown): unknown {
  if (typeof value === 'string') return literal(value);
  if (Array.isArray(value)) return value.map(literalJson);
  if (!isObject(value)) return value;
  return Object.fromEntries(Object.entries(value).map(([name, item]) => [literal(name), literalJson(item)]));
}

/** The lowest that says that all is well, or else that it is elsewhere. */
function findStatus(responses: Json): number {
  const statuses = Object.keys(responses).map((status) => Number(status.replace(/^([23])XX$/i, '$100')));
  const good = statuses.filter((status) => status >= 200 && status < 400).sort((one, other) => one - other);
  return good[0] ?? 200;
}
