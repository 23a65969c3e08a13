import { SMOKE_AGENT } from '../../../core/plan/smoke';
import { isJudged } from '../../../proxy/telemetry/judged';
import type { RequestHead } from '../../../proxy/data-plane/contract/data-plane';

const PORTS = new Set(['9201', '9202']);
const head = (fields: Readonly<Record<string, string>>) =>
  ({ field: (name: string) => fields[name] }) as unknown as RequestHead;

test.each([
  ['9202', false],
  ['9201', false],
  ['443', true],
  // Of a chain that appends instead of replacing, of a field that came twice: where it came from is not known.
  ['443, 9202', true],
  ['9202, 9202', true],
  ['', true],
  ['09202', true],
])('X-Forwarded-Port %p: judged %p', (port, isOne) => {
  expect(isJudged(head({ 'x-forwarded-port': port }), PORTS)).toBe(isOne);
});

test('a request without the field is judged, and so is each where no port is named', () => {
  expect(isJudged(head({}), PORTS)).toBe(true);
  expect(isJudged(head({ 'x-forwarded-port': '9202' }), new Set())).toBe(true);
});

test('a smoke request of the cutover is one that its steps subtract', () => {
  expect(isJudged(head({ 'x-forwarded-port': '9202', 'user-agent': SMOKE_AGENT }), PORTS)).toBe(true);
});
