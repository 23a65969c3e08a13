import { formatHostPort, parseHostPort } from '../../../core/validation/host-port';

test.each([
  ['shop.example.com:443', { host: 'shop.example.com', port: 443 }],
  ['10.0.0.1:0', { host: '10.0.0.1', port: 0 }],
  ['[::1]:65535', { host: '::1', port: 65_535 }],
])('%s is read, and written as it was', (text, parsed) => {
  expect(parseHostPort(text)).toEqual(parsed);
  expect(formatHostPort(parsed)).toBe(text);
});

test.each([
  'shop:65536',
  'shop',
  ':443',
  '::1:443',
  'http://shop:443',
  'shop:443/',
  'shop :443',
  'shop:',
  443,
  undefined,
])('%j is none', (text) => {
  expect(parseHostPort(text)).toBeUndefined();
});
