/**
 * RFC 7541, appendix B: how many bits each byte's code has, and last that of the end, which no string may contain. The
 * code is canonical: ordered by length and byte, each is the one before it and one.
 */
const BITS = [
  13, 23, 28, 28, 28, 28, 28, 28, 28, 24, 30, 28, 28, 30, 28, 28, 28, 28, 28, 28, 28, 28, 30, 28, 28, 28, 28, 28, 28,
  28, 28, 28, 6, 10, 10, 12, 13, 6, 8, 11, 10, 10, 8, 11, 8, 6, 6, 6, 5, 5, 5, 6, 6, 6, 6, 6, 6, 6, 7, 8, 15, 6, 12, 10,
  13, 6, 7, 7, 7, 7, 7, 7, 7, 7, 7, 7, 7, 7, 7, 7, 7, 7, 7, 7, 7, 7, 7, 7, 8, 7, 8, 13, 19, 13, 14, 6, 15, 5, 6, 5, 6,
  5, 6, 6, 6, 5, 7, 7, 6, 6, 6, 5, 6, 7, 6, 5, 5, 6, 7, 7, 7, 7, 7, 15, 11, 14, 13, 28, 20, 22, 20, 20, 22, 22, 22, 23,
  22, 23, 23, 23, 23, 23, 24, 23, 24, 24, 22, 23, 24, 23, 23, 23, 23, 21, 22, 23, 22, 23, 23, 24, 22, 21, 20, 22, 22,
  23, 23, 21, 23, 22, 22, 24, 21, 22, 23, 23, 21, 21, 22, 21, 23, 22, 23, 23, 20, 22, 22, 22, 23, 22, 22, 23, 26, 26,
  20, 19, 22, 23, 22, 25, 26, 26, 26, 27, 27, 26, 24, 25, 19, 21, 26, 27, 27, 26, 27, 24, 21, 21, 26, 26, 28, 27, 27,
  27, 20, 24, 20, 21, 22, 21, 21, 23, 22, 22, 25, 25, 24, 24, 26, 23, 26, 27, 26, 26, 27, 27, 27, 27, 27, 28, 27, 27,
  27, 27, 27, 26, 30,
];
const END = 256;

/** Two places for each inner node of the tree of codes: another node's number, or -1 and less for a byte. */
const TREE = tree();
/** For each node and next four bits: the node that they lead to, which is -1 for none. */
const NEXT = new Int16Array((TREE.length / 2) * 16);
/** And the byte whose code they complete; -1 for none. No code has less than five bits. */
const BYTE = new Int16Array(NEXT.length);
/** Whether a string may end there: all ones, and less than a byte of them. */
const IS_END = new Uint8Array(TREE.length / 2);
fill();

function tree(): number[] {
  const nodes = [0, 0];
  const ordered = BITS.map((_, byte) => byte).sort((one, other) => BITS[one]! - BITS[other]! || one - other);
  let code = 0;
  let bits = BITS[ordered[0]!]!;
  for (const byte of ordered) {
    code *= 2 ** (BITS[byte]! - bits);
    bits = BITS[byte]!;
    let node = 0;
    for (let bit = bits - 1; bit > 0; bit -= 1) {
      const at = node * 2 + ((code >> bit) & 1);
      if (nodes[at] === 0) {
        nodes[at] = nodes.length / 2;
        nodes.push(0, 0);
      }
      node = nodes[at]!;
    }
    nodes[node * 2 + (code & 1)] = -1 - byte;
    code += 1;
  }
  return nodes;
}

function fill(): void {
  for (let node = 0; node < TREE.length / 2; node += 1) {
    for (let four = 0; four < 16; four += 1) {
      let at = node;
      BYTE[node * 16 + four] = -1;
      for (let bit = 3; bit >= 0 && at >= 0; bit -= 1) {
        at = TREE[at * 2 + ((four >> bit) & 1)]!;
        if (at >= 0) continue;
        const byte = -1 - at;
        at = byte === END ? -1 : 0;
        if (byte !== END) BYTE[node * 16 + four] = byte;
      }
      NEXT[node * 16 + four] = at;
    }
  }
  for (let node = 0, ones = 0; ones < 8; ones += 1) {
    IS_END[node] = 1;
    node = TREE[node * 2 + 1]!;
  }
}

/** The bytes of a string as one character each; undefined for what is no Huffman code. */
export function decodeHuffman(bytes: Buffer): string | undefined {
  const decoded = Buffer.allocUnsafe(Math.ceil((bytes.length * 8) / 5));
  let length = 0;
  let node = 0;
  for (const two of bytes) {
    for (const four of [two >> 4, two & 15]) {
      const at = node * 16 + four;
      const byte = BYTE[at]!;
      if (byte >= 0) decoded[length++] = byte;
      node = NEXT[at]!;
      if (node < 0) return undefined;
    }
  }
  return IS_END[node] === 1 ? decoded.toString('latin1', 0, length) : undefined;
}
