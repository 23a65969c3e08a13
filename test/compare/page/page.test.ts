import { renderComparePage } from '../../../compare/page/page';
import type { ComparedResponse } from '../../../core/compare/response';
import { ResponseComparison } from '../../../core/compare/response-comparison';

const HOSTILE = '<script>alert(1)</script>"\'&\u001b[2J';
const respond = (body: unknown): ComparedResponse => ({
  status: 200,
  fields: [['Content-Type', 'application/json']],
  body: new TextEncoder().encode(JSON.stringify(body)),
});

function compare(change: (index: number) => unknown): string {
  const comparison = new ResponseComparison({}, () => undefined);
  for (let index = 0; index < 400; index += 1) {
    const body = { price: 1, name: 'a', at: index, [HOSTILE]: 1 };
    const pair = { route: { method: 'GET', url: `/items/${index}` }, source: respond(body) };
    comparison.add({ ...pair, target: respond({ ...body, at: -1, ...(change(index) as object) }), isRepeat: false });
    comparison.add({ ...pair, target: respond({ ...body, at: -1 }), isRepeat: true });
  }
  comparison.finish();
  return renderComparePage(comparison.report());
}

test('the page shows the verdict, what differs beyond noise with examples, and noise behind a summary', () => {
  const page = compare(() => ({ price: 2 }));
  expect(page).toMatch(/<span class="pill bad">roll back<\/span>/);
  const [beyond = '', noise = ''] = page.split('<h2>Noise</h2>');
  expect(beyond).toContain('<code>body.price</code>');
  expect(beyond).toMatch(/source <code>1<\/code><br>target <code>2<\/code>/);
  expect(beyond).not.toContain('<code>body.at</code>');
  expect(noise).toContain('<code>body.at</code>');
  expect(page).toContain('prefers-color-scheme: dark');
});

test('nothing that a server sent is markup, and the page loads nothing', () => {
  const page = compare(() => ({ [HOSTILE]: HOSTILE, name: HOSTILE }));
  expect(page).not.toContain('<script');
  expect(page).not.toContain('\u001b');
  expect(page).not.toMatch(/\b(src|href)=|@import|url\(/);
});

test('a comparison of nothing has a page, too', () => {
  expect(renderComparePage(new ResponseComparison({}, () => undefined).report())).toContain('Nothing was compared.');
});
