import { partFile } from '../../../core/capture/part-name';
import { ListedNode } from '../../../capture/s3/listed-node';

const key = (number: number) => `p/h/n/${partFile(number)}`;

function list(...numbers: readonly number[]): ListedNode {
  const node = new ListedNode('p/h/n/');
  for (const number of numbers) node.add(key(number));
  return node;
}

test('what is written behind a later part is still listed', () => {
  const node = list(1, 2, 5, 6);
  expect(node.after(false)).toBe(key(2));
  node.add(key(3));
  node.add(key(4));
  expect(node.after(false)).toBe(key(6));
});

test('a part that never came is not looked for at every listing, and at one that must be complete', () => {
  const node = list(1, ...Array.from({ length: 2_000 }, (_, at) => at + 3));
  expect([node.after(false), node.after(true)]).toEqual([key(1_102), key(1)]);
});

test('parts that were removed do not have to come, and files of others are listed by their names', () => {
  expect(list(4_000, 4_001).after(true)).toBe(key(3_099));
  // Of the first ones of a process each may come behind those after it.
  expect(list(3).after(true)).toBe(key(0));
  const other = new ListedNode('p/h/n/');
  other.add('p/h/n/export.proto.gz');
  expect(other.after(true)).toBe('p/h/n/export.proto.gz');
});
