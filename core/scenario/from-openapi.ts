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
  const requests = Object.entries(asObject(root.paths)).flatMap(([path, given]) => {
    const item = api.resolve(given);
    return methods.filter((method) => isObject(item[method])).flatMap((method) => api.convert(path, method, item));
  });
  if (requests.length === 0) {
    throw new OpenApiProblem(`a document with an operation of ${methods.join(', ').toUpperCase()}, got none`);
  }
  return { value: { requests }, notes: api.notes };
}

class Api {
  readonly notes: string[] = [];

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
      const parts = $ref.slice(2).split('/').map((part) => decodeURIComponent(part).replaceAll('~1', '/').replaceAll('~0', '~')); // prettier-ignore
      const target = parts.reduce<unknown>(
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

  /** One request; none where its body cannot be made up. */
  convert(template: string, method: string, item: Json): Json[] {
    const operation = asObject(item[method]);
    const title = `${method.toUpperCase()} ${template}`;
    const body = this.buildBody(operation, title);
    if (body === undefined) return [];
    this.noteSecurity(operation, title);
    const parameters = this.listParameters(item, operation);
    const of = (place: string) => parameters.filter((parameter) => parameter.in === place);
    const values = (place: string) =>
      of(place).map((each): [string, unknown] => [String(each.name), this.findValue(each, title)]);
    const headers = values('header').filter(([name]) => !/^(accept|content-type|authorization)$/i.test(name));
    for (const { name } of of('cookie')) this.notes.push(`${title}: the cookie ${String(name)} is not set`);
    return [
      {
        name: typeof operation.operationId === 'string' ? operation.operationId.slice(0, 100) : title.slice(0, 100),
        method: method.toUpperCase(),
        path: `${this.findBase()}${fillPath(template, values('path'))}${buildQuery(values('query'))}`,
        ...(headers.length > 0 && {
          headers: Object.fromEntries(headers.map(([name, value]) => [name, literal(show(value))])),
        }),
        ...body,
        expect: { status: findStatus(asObject(operation.responses)) },
      },
    ];
  }

  /** The path of the first server; a name that it leaves open has its default. */
  private findBase(): string {
    const server = asObject(asList(this.root.servers)[0]);
    const url = typeof server.url === 'string' ? server.url : '/';
    const filled = url.replace(/\{([^{}]+)\}/g, (_, name: string) =>
      show(asObject(asObject(server.variables)[name]).default),
    );
    const path = URL.parse(filled, 'http://server.invalid/')?.pathname ?? '/';
    return path.replace(/\/$/, '');
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

  private findValue(parameter: Json, title: string): unknown {
    const content = asObject(Object.values(asObject(parameter.content))[0]);
    const given = this.findExample(parameter) ?? this.findExample(content);
    if (given !== undefined) return given;
    const schema = asObject(parameter.schema ?? content.schema);
    const resolved = this.resolve(schema);
    const known = ['example', 'examples', 'default', 'enum', 'const'].some((name) => resolved[name] !== undefined);
    if (!known) this.notes.push(`${title}: the value of '${String(parameter.name)}' is made up`);
    return this.sample(schema);
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
    const body = this.findExample(media) ?? this.sample(asObject(media.schema));
    if (json === undefined) {
      return {
        form: Object.fromEntries(Object.entries(asObject(body)).map(([name, value]) => [name, literal(show(value))])),
      };
    }
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

function fillPath(template: string, values: readonly [string, unknown][]): string {
  const byName = new Map(values);
  const filled = template.replace(/\{([^{}]+)\}/g, (_, name: string) =>
    encodeURIComponent(show(byName.get(name) ?? name)),
  );
  return filled.replace(/[^!-~]/gu, encodeURIComponent);
}

/** In the form of `style: form` and `explode: true`, which is the default. */
function buildQuery(values: readonly [string, unknown][]): string {
  const pairs = values.flatMap(([name, value]): [string, string][] => {
    if (Array.isArray(value)) return value.map((item) => [name, show(item)]);
    return isObject(value) ? Object.entries(value).map(([key, item]) => [key, show(item)]) : [[name, show(value)]];
  });
  return pairs.length === 0 ? '' : `?${new URLSearchParams(pairs).toString()}`;
}

function show(value: unknown): string {
  if (value === undefined || value === null) return '';
  return typeof value === 'object' ? JSON.stringify(value) : `${value as string | number | boolean}`;
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
