import { addBlock, emptyFields } from '../../../../proxy/data-plane/http2/fields';

test('what stands around a value is stripped if it is white space in HTTP, and in no other script', () => {
  const fields = addBlock(emptyFields(), 'a: \t b c \t\r\nd: \xa0e\xa0\r\nf:\r\n');
  expect({ ...fields }).toEqual({ a: 'b c', d: '\xa0e\xa0', f: '' });
});
