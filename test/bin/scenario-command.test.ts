import { spawnSync } from 'node:child_process';
import { mkdtempSync, readFileSync, rmSync, statSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join, resolve } from 'node:path';
import { parse } from 'yaml';
import { scenarioFromOpenApi } from '../../rehearsal/scenario-file/write-scenario';
import { readHarFile } from '../../rehearsal/scenario-file/har-file';
import { readScenarioFile } from '../../rehearsal/scenario-file/scenario-file';

const ROOT = resolve(__dirname, '../..');
let folder: string;
beforeAll(() => {
  folder = mkdtempSync(join(tmpdir(), 'scenario-command-'));
});
afterAll(() => rmSync(folder, { recursive: true }));

const put = (name: string, content: string) => {
  writeFileSync(join(folder, name), content);
  return join(folder, name);
};

function run(...args: string[]) {
  const { status, stdout, stderr } = spawnSync(
    process.execPath,
    [join(ROOT, 'dist/bin/drainshift.js'), 'scenario', ...args],
    {
      encoding: 'utf8',
    },
  );
  return { status, stdout, stderr };
}

const API = `
openapi: 3.1.0
info: { title: pets, version: '1' }
servers: [{ url: 'https://{host}/v1/', variables: { host: { default: pets.example.com } } }]
security: [{ key: [] }]
paths:
  /pets/{id}:
    parameters: [{ $ref: '#/components/parameters/Id' }]
    get:
      operationId: getPet
      security: []
      parameters:
        - { in: query, name: tag, required: true, example: [a b, c], schema: { type: array, items: { type: string } } }
        - { in: query, name: limit, schema: { type: integer } }
        - { in: header, name: X-Tenant, required: true, schema: { type: string, default: 'a\${b}' } }
        - { in: path, name: id, required: true, schema: { type: integer, minimum: 3 } }
      responses: { default: { description: no }, '404': { description: no }, '206': { description: ok }, '200': { description: ok } }
    delete: { responses: { '204': { description: ok } } }
  /pets:
    get: { responses: { 2XX: { description: ok } } }
    post:
      requestBody: { content: { application/json: { schema: { $ref: '#/components/schemas/Pet' } } } }
      responses: { '201': { description: ok } }
  /forms:
    put:
      requestBody: { content: { application/x-www-form-urlencoded: { example: { a: 1 } } } }
      responses: { '303': { description: there } }
  /upload:
    post: { requestBody: { content: { multipart/form-data: {} } }, responses: {} }
components:
  parameters:
    Id: { in: path, name: id, required: true, schema: { type: integer } }
  schemas:
    Pet:
      type: object
      required: [name]
      properties:
        name: { type: string, example: Rex }
        born: { type: string, format: date }
        id: { type: integer, readOnly: true }
        mother: { $ref: '#/components/schemas/Pet' }
`;

test('GETs of an OpenAPI document become requests, by its examples, defaults and schemas', () => {
  const out = join(folder, 'pets.yaml');
  expect(run('from-openapi', put('api.yaml', API), '--out', out)).toEqual({ status: 0, stdout: '', stderr: '' });
  const { journeys } = readScenarioFile(out);
  expect(journeys.map(({ steps }) => steps[0])).toMatchObject([
    { name: 'getPet', path: '/v1/pets/3?tag=a+b&tag=c', headers: { 'X-Tenant': 'a$${b}' }, expect: { status: 200 } },
    { name: 'GET /pets', path: '/v1/pets', expect: { status: 200 } },
  ]);
  const text = readFileSync(out, 'utf8');
  expect(text).toMatch(/^# yaml-language-server: \$schema=.*\/schemas\/scenario\.json\n/);
  expect(text).toContain("# - GET /pets/{id}: the value of 'id' is made up\n");
  expect(text).toContain("# - GET /pets: needs key; let 'start' log in, or set a header\n");
  expect(statSync(out).mode & 0o777).toBe(0o600);
  expect(run('from-openapi', join(folder, 'api.yaml'), '--out', out)).toMatchObject({
    status: 64,
    stderr: `drainshift: '--out' must not exist, or --force must be given, got '${out}'\n`,
  });
});

test('with --include-writes there are the others, too; what cannot be made up is left out by name', () => {
  const { stdout } = run('from-openapi', put('api.yaml', API), '--include-writes');
  const { requests } = parse(stdout) as {
    requests: { method: string; path: string; json?: unknown; form?: unknown }[];
  };
  expect(requests.map(({ method, path }) => `${method} ${path.split('?')[0]}`)).toEqual([
    'GET /v1/pets/3',
    'DELETE /v1/pets/0',
    'GET /v1/pets',
    'POST /v1/pets',
    'PUT /v1/forms',
  ]);
  expect(requests[3]?.json).toMatchObject({ name: 'Rex', born: expect.stringMatching(/^\d{4}-\d\d-\d\d$/) as string });
  expect(requests[3]?.json).not.toHaveProperty('id');
  expect(requests[4]?.form).toEqual({ a: '1' });
  expect(stdout).toContain('# - POST /upload: left out, because its body is multipart/form-data\n');
});

const STYLES = `
openapi: 3.1.0
servers: [{ url: 'https://api.example.com/v1' }]
paths:
  /a/{ids}/{label}/{matrix}:
    servers: [{ url: /v2/ }]
    parameters:
      - { in: path, name: ids, required: true, example: [1, 'a/b'] }
      - { in: path, name: label, required: true, style: label, explode: true, example: [1, 2] }
      - { in: path, name: matrix, required: true, style: matrix, example: { x: 1, y: 2 } }
      - { in: query, name: list, required: true, explode: false, example: [0, 1] }
      - { in: query, name: pipes, required: true, style: pipeDelimited, example: [0, 1] }
      - { in: query, name: spaces, required: true, style: spaceDelimited, explode: true, example: [0, 1] }
      - { in: query, name: f, required: true, style: deepObject, explode: true, example: { x: 0, deep: { y: [1] } } }
      - { in: query, name: flat, required: true, explode: false, example: { r: 1, g: 2 } }
      - { in: query, name: json, required: true, content: { application/json: { example: { a: [1] } } } }
      - { in: header, name: X-List, required: true, example: [1, 2] }
    get: { responses: { '200': { description: ok } } }
  /up:
    post:
      servers: [{ url: 'https://up.example.com/files' }]
      requestBody:
        content:
          application/x-www-form-urlencoded:
            example: { a: 1, tags: [x, y], card: { no: 7 }, list: [1, 2] }
            encoding: { card: { style: deepObject }, list: { explode: false } }
      responses: { 2XX: { description: ok, content: { application/x-ndjson: {} } } }
  /events:
    get: { responses: { '200': { description: ok, content: { text/event-stream; charset=utf-8: {} } } } }
  /either:
    get: { responses: { '200': { description: ok, content: { text/event-stream: {}, application/json: {} } } } }
`;

test('servers, styles and streamed responses are those of the document', async () => {
  const text = await scenarioFromOpenApi(put('styles.yaml', STYLES), true, 'schema');
  const { requests, eventStreams, streams } = parse(text) as Record<string, object[]>;
  expect(requests).toEqual([
    {
      name: 'GET /a/{ids}/{label}/{matrix}',
      method: 'GET',
      path: '/v2/a/1,a%2Fb/.1.2/;matrix=x,1,y,2?list=0%2C1&pipes=0%7C1&spaces=0&spaces=1&f%5Bx%5D=0&f%5Bdeep%5D%5By%5D%5B0%5D=1&flat=r%2C1%2Cg%2C2&json=%7B%22a%22%3A%5B1%5D%7D',
      headers: { 'X-List': '1,2' },
      expect: { status: 200 },
    },
    { name: 'GET /either', method: 'GET', path: '/v1/either', expect: { status: 200 } },
  ]);
  expect(eventStreams).toEqual([{ name: 'GET /events', path: '/v1/events' }]);
  expect(streams).toEqual([
    {
      name: 'POST /up',
      method: 'POST',
      path: '/files/up',
      headers: { 'content-type': 'application/x-www-form-urlencoded' },
      body: 'a=1&tags=x&tags=y&card%5Bno%5D=7&list=1%2C2',
      expect: { status: 200 },
    },
  ]);
  expect(text).toContain('# - POST /up: its server is up.example.com, and it is sent to the application');
});

test('operations beyond the first thousand are left out with a note', async () => {
  const paths = Object.fromEntries(Array.from({ length: 1_002 }, (_, n) => [`/${n}`, { get: {} }]));
  const file = put('many.json', JSON.stringify({ openapi: '3.0.0', paths }));
  const text = await scenarioFromOpenApi(file, false, 'schema');
  expect((parse(text) as { requests: unknown[] }).requests).toHaveLength(1_000);
  expect(text).toContain('# - 2 operations beyond the first 1,000 are left out\n');
});

test.each([
  ['other.yaml#/Foo', 'with schemas that can be read'],
  ['#/components/schemas/Missing', 'with schemas that can be read'],
  ['#/components/%E0%A4%A', 'with schemas that can be read'],
])(
  'an operation with a body of the schema %s is left out with a note, or is the reason why there is none',
  async ($ref, why) => {
    const body = { content: { 'application/json': { schema: { type: 'object', properties: { a: { $ref } } } } } };
    const post = { requestBody: body, responses: {} };
    const document = (paths: object) => put('refs.json', JSON.stringify({ openapi: '3.0.0', paths }));
    const text = await scenarioFromOpenApi(document({ '/a': { get: {}, post } }), true, 'schema');
    expect((parse(text) as { requests: unknown[] }).requests).toHaveLength(1);
    expect(text).toContain(`# - POST /a: left out, because it must be ${why}, got `);
    await expect(scenarioFromOpenApi(document({ '/a': { post } }), true, 'schema')).rejects.toThrow(
      `'file' must be ${why}, got `,
    );
  },
);

test.each([
  [
    '{openapi: 3.0.0, paths: {/a: {get: {parameters: [{$ref: "#/%E0%A4%A"}]}}}}',
    "'file' must be a document whose references can be read, got '#/%E0%A4%A', in ",
  ],
  ['swagger: "2.0"', "'file' must be a document of OpenAPI 3, got version 2.0, in "],
  ['a: 1', "'file' must be a document of OpenAPI 3, got none, in "],
  ['openapi: 3.0.0', "'file' must be a document with an operation of GET, got none, in "],
  [
    '{openapi: 3.0.0, paths: {/a: {$ref: other.yaml}}}',
    "'file' must be one document without references to other files (bundle them first), got 'other.yaml', in ",
  ],
  [
    '{openapi: 3.0.0, paths: {/a: {$ref: "#/b"}}}',
    "'file' must be a document whose references lead somewhere, got '#/b', in ",
  ],
  [
    '{openapi: 3.0.0, paths: {/a: {$ref: "#/b"}}, b: {$ref: "#/b"}}',
    "'file' must be a document whose references lead somewhere, got '#/b', in ",
  ],
  ['a: [', "'file' must be JSON or YAML, got "],
])('%s is rejected', async (content, message) => {
  const made = scenarioFromOpenApi(put('wrong.yaml', content), false, 'schema');
  await expect(made).rejects.toThrow(message);
});

test('a recording becomes a scenario that can be edited; what is none is rejected', () => {
  const request = { method: 'GET', url: 'http://localhost:3000/a', headers: [] };
  const log = {
    entries: [{ startedDateTime: '2026-01-01T00:00:00Z', request, response: { status: 200, content: {} } }],
  };
  const { stdout } = run('from-har', put('a.har', JSON.stringify({ log })));
  expect(stdout).toContain('# - 1 entry of localhost:3000\n');
  expect(parse(stdout)).toMatchObject({ journeys: [{ steps: [{ path: '/a' }] }] });
  expect(run('from-har', put('b.har', '{'))).toMatchObject({
    status: 64,
    stderr: `drainshift: 'file' must be a HAR, got JSON that ends too early (line 1, character 2), in '${join(folder, 'b.har')}'\n`,
  });
  expect(run('from-har', join(folder, 'a.har'), '--host', 'other').stderr).toContain(
    'a HAR with a request of other that has a response',
  );
});

test.each([
  ['{"log":\n{"entries":[{"a":"se', 'a HAR, got JSON that ends too early (line 2, character 21)'],
  ['{"log":\n{"secret":x}}', 'a HAR, got what is no JSON (line 2, character 11)'],
  ['<html>', 'a HAR, got what is no JSON (line 1, character 1)'],
  ['', 'a HAR, got JSON that ends too early (line 1, character 1)'],
  ['{"log":{"entries":[]}}', 'a HAR with a request that has a response, got none'],
])('of %j it is said what is wrong and where, without a part of it', (text, rule) => {
  const file = put('wrong.har', text);
  expect(() => readHarFile({ name: '--har', file })).toThrow(`'--har' must be ${rule}, in '${file}'`);
});
