import http2 from 'node:http2';
import { HpackDecoder } from '../../../../proxy/data-plane/http2/hpack';
import { decodeHuffman } from '../../../../proxy/data-plane/http2/huffman';
import { Random } from '../http1/support/random';
import { startRawBackend, stopAll, until } from '../../support/world';

afterEach(stopAll);

const hex = (text: string) => Buffer.from(text.replaceAll(' ', ''), 'hex');

function decoded(decoder: HpackDecoder, block: Buffer): string[] | undefined {
  const lines: string[] = [];
  return decoder.decode(block, ({ name, value }) => lines.push(`${name}: ${value}`)) ? lines : undefined;
}

/** RFC 7541, appendix C.4 and C.6: what comes later refers to what came before. C.6 is with a table of 256 bytes. */
test.each<[string, [block: string, fields: string[]][]]>([
  [
    'requests',
    [
      [
        '828684418cf1e3c2e5f23a6ba0ab90f4ff',
        [':method: GET', ':scheme: http', ':path: /', ':authority: www.example.com'],
      ],
      [
        '828684be5886a8eb10649cbf',
        [':method: GET', ':scheme: http', ':path: /', ':authority: www.example.com', 'cache-control: no-cache'],
      ],
      [
        '828785bf408825a849e95ba97d7f8925a849e95bb8e8b4bf',
        [
          ':method: GET',
          ':scheme: https',
          ':path: /index.html',
          ':authority: www.example.com',
          'custom-key: custom-value',
        ],
      ],
    ],
  ],
  [
    'responses, with a small table',
    [
      ['3fe101', []],
      [
        '488264025885aec3771a4b6196d07abe941054d444a8200595040b8166e082a62d1bff6e919d29ad171863c78f0b97c8e9ae82ae43d3',
        [
          ':status: 302',
          'cache-control: private',
          'date: Mon, 21 Oct 2013 20:13:21 GMT',
          'location: https://www.example.com',
        ],
      ],
      [
        '4883640effc1c0bf',
        [
          ':status: 307',
          'cache-control: private',
          'date: Mon, 21 Oct 2013 20:13:21 GMT',
          'location: https://www.example.com',
        ],
      ],
    ],
  ],
])('reads the examples of RFC 7541: %s', (_, blocks) => {
  const decoder = new HpackDecoder();
  for (const [block, fields] of blocks) expect(decoded(decoder, hex(block))).toEqual(fields);
});

test.each([
  ['an index of 0', '80'],
  ['an index beyond the table', 'be'],
  ['an index that never ends', 'ffffffffffffffff'],
  ['a name that is not there', '7f00 01 61'],
  ['a value that is broken off', '40 01 61 05 62'],
  ['a name that is broken off', '40 05 61'],
  ['a literal without a value', '40 01 61'],
  ['a table larger than was announced', '3fe220'],
  ['a length that never ends', '40 7fffffffffff'],
  ['the end of Huffman in a string', '40 01 61 84 ffffffff'],
  ['a Huffman code that is broken off', '40 01 61 81 fe'],
  ['a whole byte of padding', '40 01 61 82 1fff'],
])('does not read on behind %s', (_, block) => {
  expect(decoded(new HpackDecoder(), hex(block))).toBeUndefined();
});

test('Huffman: the empty string, and what is no code', () => {
  expect(decodeHuffman(Buffer.alloc(0))).toBe('');
  expect(decodeHuffman(hex('ff'))).toBeUndefined();
  // Padding of zeros.
  expect(decodeHuffman(hex('18'))).toBeUndefined();
});

/** Everything that Node's client encodes is read as it was meant. */
test('reads what another encoder writes, for a whole connection', async () => {
  const random = new Random(7);
  let bytes = Buffer.alloc(0);
  const port = await startRawBackend((socket) => {
    socket.write(hex('000000040000000000'));
    socket.on('data', (chunk) => (bytes = Buffer.concat([bytes, chunk])));
  });
  const session = http2.connect(`http://127.0.0.1:${port}`);
  session.on('error', () => undefined);
  await new Promise((resolve) => session.once('remoteSettings', resolve));
  const sent: string[][] = [];
  for (let request = 0; request < 200; request += 1) {
    const fields: Record<string, string> = { ':path': `/${random.below(20)}`, ':authority': 'a' };
    for (let field = random.below(12); field > 0; field -= 1) fields[`x-${random.below(40)}`] = anyValue(random);
    session.request(fields).on('error', () => undefined);
    const { ':path': path, ':authority': authority, ...others } = fields;
    const pseudo = [`:path: ${path}`, `:authority: ${authority}`, ':method: GET', ':scheme: http'];
    sent.push([...pseudo, ...Object.entries(others).map(([name, value]) => `${name}: ${value}`)]);
  }
  await until(() => blocksIn(bytes).length === sent.length);
  session.destroy();
  const decoder = new HpackDecoder();
  const read = blocksIn(bytes).map((block) => decoded(decoder, block));
  expect(read.map((lines) => lines?.sort())).toEqual(sent.map((lines) => lines.sort()));
});

function anyValue(random: Random): string {
  const bytes = Array.from({ length: random.below(60) }, () => 33 + random.below(94));
  return String.fromCharCode(...bytes);
}

/** The field blocks of whole HEADERS frames. */
function blocksIn(bytes: Buffer): Buffer[] {
  const blocks: Buffer[] = [];
  for (let at = 24; at + 9 <= bytes.length;) {
    const end = at + 9 + bytes.readUIntBE(at, 3);
    if (end > bytes.length) break;
    const isPrioritized = (bytes[at + 4]! & 32) !== 0;
    if (bytes[at + 3] === 1) blocks.push(bytes.subarray(at + 9 + (isPrioritized ? 5 : 0), end));
    at = end;
  }
  return blocks;
}
