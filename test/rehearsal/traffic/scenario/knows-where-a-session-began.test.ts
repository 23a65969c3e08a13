import { CarriedSession } from '../../../../rehearsal/traffic/scenario/carried-session';
import { Visit } from '../../../../rehearsal/traffic/scenario/visit';

const make = () => new Visit('1', 'https://shop.example.com', { lang: 'de' });
const carry = (visit: Visit, headers: Record<string, string> = {}) => new CarriedSession(visit, '/cart', headers);
const take = (visit: Visit, cookie: string, side: 'source' | 'target') =>
  visit.jar.take(`${cookie}; Path=/`, '/', 0, side);

test('of cookies it is the side whose response set them; without any there is none', () => {
  const visit = make();
  expect([carry(visit).isThere, carry(visit).see()]).toEqual([false, undefined]);
  take(visit, 'cart=1', 'source');
  expect(carry(visit).see()).toEqual({ beganOn: 'source', isRenewed: false });
  // Of two sides nothing is sure, unless one is called like a session.
  take(visit, 'theme=dark', 'target');
  expect([carry(visit).isThere, carry(visit).see()]).toEqual([true, undefined]);
  take(visit, 'PHPSESSID=1', 'target');
  expect(carry(visit).see()).toEqual({ beganOn: 'target', isRenewed: false });
});

test('of a token in a header field it is the side that brought it', () => {
  const visit = make();
  visit.save('token', 'a', 'source');
  visit.save('item', '7', 'target');
  const session = carry(visit, { authorization: 'Bearer ${token}', 'x-item': '${item}' });
  expect([session.isThere, session.see()]).toEqual([true, { beganOn: 'source', isRenewed: false }]);
  visit.leave();
  expect(carry(visit, { authorization: 'Bearer ${token}' }).isThere).toBe(false);
});

test.each([
  ['another one', 'sid=b.1', true],
  ['the same, signed again or by another node', 'sid=a.2', false],
  ['of another name', 'theme=b', false],
])('a response renews it where it sets %s', (_what, cookie, isRenewed) => {
  const visit = make();
  take(visit, 'sid=a.1', 'source');
  const session = carry(visit);
  take(visit, cookie, 'target');
  expect(session.see()).toEqual({ beganOn: 'source', isRenewed });
});
