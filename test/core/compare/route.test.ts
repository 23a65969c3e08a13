import { findRoute, isId } from '../../../core/compare/route';

test.each([
  ['GET /', 'get', '/'],
  ['GET /items/{id}', 'GET', '/items/17?page=2#top'],
  ['GET /items/{id}/tags', 'GET', 'https://shop.example.com:8443/items/550e8400-e29b-41d4-a716-446655440000/tags'],
  ['DELETE /files/{id}', 'DELETE', '/files/9f86d081884c7d65'],
  ['GET /videos/{id}', 'GET', '/videos/dQw4w9WgXcQ7'],
  ['GET /days/{id}', 'GET', '/days/2026-11-30'],
  ['GET /reset/{id}', 'GET', `/reset/${'abcDEF'.repeat(12)}`],
  ['GET /articles/how-to-move-2', 'GET', '/articles/how-to-move-2'],
  ['GET /api/v2/feedface', 'GET', '/api/v2/feedface'],
  ['GET /a%zz', 'GET', '/a%zz'],
  ['GET /{id}', 'GET', '/1?next=https://a.example/b'],
])('%s', (route, method, url) => {
  expect(findRoute(method, url)).toBe(route);
});

test('a pattern stands for the paths that fit it, and the first one counts', () => {
  expect(findRoute('GET', '/shop/red-shoe/17', ['/shop/*/17', '/shop/*'])).toBe('GET /shop/*/17');
  expect(findRoute('GET', '/shop/red-shoe', ['/shop/*/17', '/shop/*'])).toBe('GET /shop/*');
});

test('a route is one line of a limited length, whatever a client sent', () => {
  const route = findRoute('GET', `/${'a/'.repeat(500)}\u001b[2J\n`);
  expect(route.length).toBeLessThanOrEqual(200);
  expect(findRoute('GET', '/\u001b[2J')).toBe('GET /\\x1b[2J');
});

test('words of a person are no ids', () => {
  expect(['checkout', 'v2', 'how-to-move', 'top-100', 'en_US', 'index.html'].filter(isId)).toEqual([]);
});
