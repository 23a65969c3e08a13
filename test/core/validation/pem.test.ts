import { parseCertificates } from '../../../core/validation/pem';

const block = (body: string, label = 'CERTIFICATE') => `-----BEGIN ${label}-----\n${body}\n-----END ${label}-----`;
const read = (text: string) => {
  if (text.includes('broken')) throw new Error('no certificate');
  return text;
};

test.each([
  ['one', block('a'), [block('a')]],
  ['several, in their order, with text between them', `x\n${block('a')}\ny\n${block('b')}\n`, [block('a'), block('b')]],
  [
    'those with other labels',
    block('a', 'X509 CERTIFICATE') + block('b', 'TRUSTED CERTIFICATE'),
    [block('a', 'X509 CERTIFICATE'), block('b', 'TRUSTED CERTIFICATE')],
  ],
  ['one that was cut off', '-----BEGIN CERTIFICATE-----\nab', ['-----BEGIN CERTIFICATE-----\nab']],
  ['none', block('a', 'PRIVATE KEY'), undefined],
  ['one beside one that cannot be read', block('a') + block('broken'), undefined],
])('certificates of a text: %s', (_, pem, expected) => {
  expect(parseCertificates(pem, read)).toEqual(expected);
});
