import type { MirrorReport } from '../../../core/compare/mirror-report';
import { ProxyBundle, bundleProxy, listening } from '../support/proxy-process';
import { callAdmin } from '../support/proxy-world';
import { get, startBackend, stopAll, until } from '../support/world';

let bundle: ProxyBundle;
beforeAll(() => void (bundle = bundleProxy()));
afterAll(() => bundle.remove());
afterEach(stopAll);

test('the report of several workers is one, and so are their metrics', async () => {
  const source = await startBackend((_, response) => response.end('{"a":1}'));
  const target = await startBackend((_, response) => response.end('{"a":2}'));
  const proxy = bundle.run([
    ...['--listen', '127.0.0.1:0', '--admin', '127.0.0.1:0', '--upstream', `http://127.0.0.1:${source.port}`],
    ...['--workers', '2', '--mirror-url', `http://127.0.0.1:${target.port}`, '--mirror-share', '100'],
    ...['--mirror-repeat-share', '0', '--mirror-concurrency', '1000'],
  ]);
  const { port, admin } = await listening(proxy);
  const got = await Promise.all(Array.from({ length: 40 }, () => get({ port, path: '/items/1' })));
  expect(got.every(({ body }) => body === '{"a":1}')).toBe(true);
  let report: MirrorReport | undefined;
  // Workers tell what they have compared a moment later.
  await until(async () => {
    report = JSON.parse((await callAdmin(admin, { path: '/mirror' })).body) as MirrorReport;
    return report.comparison.comparisons === 40;
  });
  expect(report).toMatchObject({ sent: 40, compared: 40, underWay: 0, comparison: { differ: 40 } });
  expect(report!.comparison.routes[0]).toMatchObject({ route: 'GET /items/{id}', differ: 40 });
  expect(report!.comparison.routes[0]!.fields[0]!.examples).toHaveLength(3);
  const { body } = await callAdmin(admin, { path: '/metrics' });
  expect(body).toContain('drainshift_mirror_comparisons_total{side="source"} 40\n');
  expect(body).toContain('drainshift_mirror_dropped_total{side="source",reason="busy"} 0\n');
});
