import { convertOpenApi } from '../../core/scenario/from-openapi';
import { parseScenario } from '../../core/scenario/scenario';

// Documents in public say operations that no scenario can have: AWS puts a '#' into paths, others have the header field Cookie as a
// parameter, or an empty operationId. One of them rejected the whole document, by an index that it does not have.

const good = { responses: { '200': { description: 'good' } } };
const convert = (paths: object) => convertOpenApi({ openapi: '3.1.0', paths }, true, () => 'x');

const parameter = (name: string) => ({ name, in: 'header', required: true, schema: { type: 'string' } });

test.each([
  [
    'a path with a fragment',
    { '/#X-Amz-Target=Service.Do': { post: good } },
    /^POST \/#X-Amz.*: left out, because .*'path' must be /,
  ],
  [
    'a path that does not start with a slash',
    { 'pets/{id}': { get: good } },
    /^GET pets.*: left out, because .*'path' must be /,
  ],
  [
    'a header field of the connection',
    { '/b': { get: { ...good, parameters: [parameter('Host')] } } },
    /^GET \/b: left out, because .*'headers.Host' must be /,
  ],
])('%s: it is left out and named, and the others stay', (_, paths, note) => {
  const { value, notes } = convert({ '/a': { get: good }, ...paths });
  expect(parseScenario(value).journeys).toHaveLength(1);
  expect(notes).toContainEqual(expect.stringMatching(note));
});

test('the header field Cookie is left out of its request, and named', () => {
  const { value, notes } = convert({ '/a': { get: { ...good, parameters: [parameter('Cookie')] } } });
  expect(parseScenario(value).journeys).toHaveLength(1);
  expect(notes).toContainEqual("GET /a: the header field Cookie is not set; 'cookies' of the scenario can");
});

test('an operation with an empty operationId is called by method and path', () => {
  const { value } = convert({ '/a': { get: { ...good, operationId: '' } } });
  expect(parseScenario(value).journeys[0]?.steps[0]?.name).toBe('GET /a');
});

test('where none can be had, the first rule that is broken is said', () => {
  expect(() => convert({ '/#a': { get: good } })).toThrow(/'path' must be .*, got "\/#a"/);
});
