import { readCheckpointResponse } from '../../../core/state/checkpoint';

const read = (output: string) => readCheckpointResponse({ action: 'dump' }, output);

test.each<[string, string, object]>([
  ['its bytes', '{"ok":true,"bytes":4096}\n', { bytes: 4096 }],
  ['no bytes', '{"ok":true}', {}],
  ['nothing dumped', '{"ok":true,"bytes":0}', { bytes: 0 }],
  ['the last line, behind what tools have printed', 'Warn: {"ok":false}\n\n{"ok":true,"bytes":7}\n\n', { bytes: 7 }],
])('a host that succeeded: %s', (_, output, response) => {
  expect(read(output)).toEqual(response);
});

test.each([
  ['"4096"', 'a text'],
  ['-1', 'less than nothing'],
  ['1.5', 'a fraction'],
  ['1e300', 'more than can be counted'],
  ['null', 'none'],
])('bytes that are no count are none: %s, %s', (bytes) => {
  expect(read(`{"ok":true,"bytes":${bytes}}`)).toEqual({});
});

test.each<[string, string, string]>([
  ['why', '{"ok":false,"why":"CRIU must be 4.2 or newer, got 4.1"}', 'CRIU must be 4.2 or newer, got 4.1'],
  ['no reason', '{"ok":false}', '{"ok":false}'],
  ['a reason that is no text', '{"ok":false,"why":7}', '{"ok":false,"why":7}'],
  ['a word in place of true', '{"ok":"true","why":"w"}', '{"ok":"true","why":"w"}'],
  ['a line of a tool', '{"ok":true}\nbash: line 3: aws: command not found', 'bash: line 3: aws: command not found'],
  ['half a line', '{"ok":true,"byt', '{"ok":true,"byt'],
  ['nothing', ' \n', 'no output'],
  ['null', 'null', 'null'],
  ['a list', '[true]', '[true]'],
  ['controls in the reason', String.raw`{"ok":false,"why":"a\nforged: line"}`, 'a forged: line'],
])('a host that did not is a problem with the action and %s', (_, output, got) => {
  expect(read(output)).toEqual({ problem: `'dump' must succeed, got ${got}` });
});

test('a reason is as long as a message may be', () => {
  const { problem } = read(JSON.stringify({ ok: false, why: 'x'.repeat(5_000) })) as { problem: string };
  expect(problem).toBe(`'dump' must succeed, got ${'x'.repeat(300)}…`);
});
