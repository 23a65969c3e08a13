import { mkdtempSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join, resolve } from 'node:path';
import { readScenarioFile } from '../../../rehearsal/scenario-file/scenario-file';

const ROOT = resolve(__dirname, '../../..');
let folder: string;
beforeAll(() => {
  folder = mkdtempSync(join(tmpdir(), 'scenario-'));
});
afterAll(() => rmSync(folder, { recursive: true }));

function read(text: string) {
  const file = join(folder, 'scenario');
  writeFileSync(file, text);
  return readScenarioFile(file);
}

test('every problem comes with its line, in YAML and in JSON', () => {
  const yaml = `requests:
  - path: /a
    expect: &ok
      status: 99
  - path: b
    headers:
      x.y: "\\u0001"
journeys:
  - steps:
      - { expect: { status: 200 } }
colour: red
`;
  expect(() => read(yaml)).toThrow(
    [
      `'scenario.colour' must be one of requestsPerSecond, clients, cookies, start, requests, journeys, webSockets, eventStreams, streams, got "colour" (line 11)`,
      `'requests[0].expect.status' must be an integer from 200 to 599, got 99 (line 4)`,
      `'requests[1].path' must be a path that starts with '/' and has neither a space nor a '#', got "b" (line 5)`,
      `'requests[1].headers.x.y' must be a text without control characters, got "\\u0001" (line 7)`,
      `'journeys[0].steps[0].path' must be a path that starts with '/' and has neither a space nor a '#', got nothing (line 10)`,
    ].join('\n'),
  );
  expect(() => read('{\n"requests": [\n{"path": "/",\n"weight": 0}]}')).toThrow(
    "'requests[0].weight' must be an integer from 1 to 1000, got 0 (line 4)",
  );
});

test('what an alias stands for is found where it is written', () => {
  expect(() => read('requests:\n  - &page\n    path: "/"\n    weight: 0\n  - *page\n')).toThrow(
    /got 0 \(line 4\)\n.*got 0 \(line 4\)$/,
  );
});

test('a number that stands for a text is sent as it is written, also behind aliases and merge keys', () => {
  const yaml = `cookies: { id: 12345678901234567890, 007: 0x1f }
requests:
  - &one
    path: /
    method: POST
    form: &form { zip: 01067, card: 4111111111111111111 }
    headers: &headers { x-version: 1.0, x.big: 1e3, x-text: "007" }
  - { <<: *one, headers: { <<: *headers, x-text: .5 } }
  - path: /
    headers: *headers
`;
  const { cookies, journeys } = read(yaml);
  const steps = journeys.map(({ steps: [step] }) => step);
  expect(cookies).toEqual({ id: '12345678901234567890', '007': '0x1f' });
  const form = { zip: '01067', card: '4111111111111111111' };
  expect(steps).toMatchObject([
    { form, headers: { 'x-version': '1.0', 'x.big': '1e3', 'x-text': '007' } },
    { form, headers: { 'x-version': '1.0', 'x.big': '1e3', 'x-text': '.5' } },
    { headers: { 'x-version': '1.0' } },
  ]);
  expect(
    read('{"requests": [{"path": "/", "headers": {"x": 1.50, "y": 4111111111111111111}}]}').journeys,
  ).toMatchObject([{ steps: [{ headers: { x: '1.50', y: '4111111111111111111' } }] }]);
});

test('a number of JSON that JSON cannot write is rejected with its line', () => {
  const rule = 'must be a number that JSON can write, or a text in quotes, got';
  const yaml = `requests:
  - &a
    path: /
    method: POST
    json:
      right: [0, -1, 1.50, 1e3, .5, 9007199254740991, 0.1, -0.0, 1e-7, 100000000000000000000000]
      card: 4111111111111111111
      zips: [{ a.b: 01067 }]
  - { <<: *a, path: /b, json: { max: .inf, hex: 0x1f } }
webSockets:
  - { path: /, script: [{ send: 0.10000000000000000001, expect: { json: 1e400 } }] }
`;
  expect(() => read(yaml)).toThrow(
    [
      `'requests[0].json.card' ${rule} 4111111111111111111 (line 7)`,
      `'requests[0].json.zips[0].a.b' ${rule} 01067 (line 8)`,
      `'requests[1].json.max' ${rule} .inf (line 9)`,
      `'requests[1].json.hex' ${rule} 0x1f (line 9)`,
      `'webSockets[0].script[0].send' ${rule} 0.10000000000000000001 (line 11)`,
      `'webSockets[0].script[0].expect.json' ${rule} 1e400 (line 11)`,
    ].join('\n'),
  );
});

test('a file that is none is rejected in one line', () => {
  expect(() => readScenarioFile(join(folder, 'nowhere'))).toThrow(
    /^'--scenario' must be a readable file, got '.*nowhere' \(ENOENT\)$/,
  );
  expect(() => read('')).toThrow(/^'--scenario' must be a scenario, got an empty file, in '/);
  expect(() => read('a: [')).toThrow(/^'--scenario' must be JSON or YAML, got /);
});

test('the scenarios of the pages and of the example are right', () => {
  const page = readFileSync(join(ROOT, 'docs/rehearsal.md'), 'utf8');
  const [, shown = ''] = /## Your own traffic[^]*?```yaml\n([^]*?)```/.exec(page) ?? [];
  expect(read(shown).streams).toHaveLength(1);
  expect(readScenarioFile(join(ROOT, 'examples/own-traffic/scenario.yaml')).webSockets).toHaveLength(1);
});

test('the schema has no expression that JavaScript alone can read', () => {
  const schema = readFileSync(join(ROOT, 'schemas/scenario.json'), 'utf8');
  const patterns = [...schema.matchAll(/"pattern": "((?:[^"\\]|\\.)*)"/g)].map(([, pattern]) => pattern);
  expect(patterns.length).toBeGreaterThan(20);
  expect(patterns.filter((pattern) => pattern?.includes('[^]'))).toEqual([]);
});
