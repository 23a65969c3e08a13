import { formatBytes } from '../../../core/text/bytes';

test.each([
  [0, '0 bytes'],
  [1_023, '1023 bytes'],
  [1_024, '1.0 KiB'],
  [23_654, '23.1 KiB'],
  [1_048_576, '1.0 MiB'],
  [1_073_741_824, '1.0 GiB'],
  [2 ** 60, '1048576.0 TiB'],
])('%d bytes are %s', (bytes, text) => {
  expect(formatBytes(bytes)).toBe(text);
});
