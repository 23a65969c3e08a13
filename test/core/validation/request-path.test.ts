import { requestPath } from '../../../core/validation/request-path';
import { parsePlan } from '../../../core/plan/plan';
import { readProbeOrder } from '../../../core/proxy/probe';
import { Problems } from '../../../core/validation/problems';

const matches = (path: string, maxCharacters?: number) => new RegExp(requestPath(maxCharacters).pattern).test(path);

test('a path is what a request line can hold', () => {
  for (const path of ['/', '/a/b?c=d&e=%23', '/"quoted"', '/~x']) expect(matches(path)).toBe(true);
  for (const path of ['', 'a', '/a b', '/a#b', '/#', '/\u{e9}', '/a\n', '/a\u0000']) expect(matches(path)).toBe(false);
  expect(matches('/' + 'a'.repeat(255), 256)).toBe(true);
  expect(matches('/' + 'a'.repeat(256), 256)).toBe(false);
  expect(requestPath(1_024).rule).toMatch(/ of at most 1,024 characters$/);
});

test.each([
  ['smoke', { smoke: [{ path: '/a#b' }] }, 'smoke[0].path'],
  ['the judge', { judge: { routes: [{ path: '/a#b' }] } }, 'judge.routes[0].path'],
  [
    'a hook',
    { strategy: 'drainThenShift', switch: { pointOfNoReturn: 'shared', hook: { http: { verify: '/a#b' } } } },
    'switch.hook.http.verify',
  ],
])('a fragment in a path of %s is rejected', (_, plan, name) => {
  expect(() => parsePlan(plan)).toThrow(
    `'${name}' must be a path that starts with '/' and has neither a space nor a '#'`,
  );
});

test('a fragment in the path of a probe is rejected', () => {
  const problems = new Problems();
  readProbeOrder('order', { to: 'target', path: '/a#b' }, problems);
  expect(problems.all.join()).toContain(`nor a '#', got "/a#b"`);
});
