import { AwsError } from '../../errors/aws-error';

interface Node {
  text?: string;
  readonly children: Map<string, Node>;
}

const MAX_DEPTH = 16;

/**
 * Reads the form body of a Query call into nested values: `A.member.1.B=x` becomes `{A: [{B: 'x'}]}`. All leaves are
 * text; an empty list arrives as an empty text.
 *
 * @see https://smithy.io/2.0/aws/protocols/aws-query-protocol.html
 * @throws AwsError MalformedInput for names that contradict one another.
 */
export function parseQueryForm(body: string): Record<string, unknown> {
  const root: Node = { children: new Map() };
  for (const [name, text] of new URLSearchParams(body)) insert(root, name, text);
  return structure(root);
}

function insert(root: Node, name: string, text: string): void {
  const steps = name.split('.');
  if (steps.length > MAX_DEPTH) throw new AwsError('MalformedInput', `'${name.slice(0, 200)}' is nested too deeply`);
  let node = root;
  for (const step of steps) {
    const next = node.children.get(step) ?? { children: new Map<string, Node>() };
    node.children.set(step, next);
    node = next;
  }
  node.text = text;
}

function valueOf(node: Node, name: string): unknown {
  if (node.children.size === 0) return node.text;
  if (node.text !== undefined && node.text !== '') {
    throw new AwsError('MalformedInput', `'${name}' must be either a value or a structure`);
  }
  const list = node.children.get('member');
  return list && node.children.size === 1 ? findList(list, name) : structure(node);
}

/** In the order of their numbers; gaps close, as they do at AWS. */
function findList(node: Node, name: string): unknown[] {
  const entries = [...node.children].map(([index, child]) => {
    if (!/^[1-9]\d{0,8}$/.test(index)) {
      throw new AwsError('MalformedInput', `'${name}.member' must be numbered from 1, got ${index}`);
    }
    return { index: Number(index), value: valueOf(child, name) };
  });
  return entries.sort((a, b) => a.index - b.index).map(({ value }) => value);
}

function structure(node: Node): Record<string, unknown> {
  return Object.fromEntries([...node.children].map(([name, child]) => [name, valueOf(child, name)]));
}
