import { own } from '../../../../core/validation/own';
import { XMLParser } from 'fast-xml-parser';
import { AwsError } from '../../../errors/aws-error';

// Clients write quotes as numbers (`&#34;`), which are HTML's entities to this parser.
const parser = new XMLParser({ ignoreAttributes: true, parseTagValue: false, trimValues: false, htmlEntities: true });

/**
 * The repeated element of a body such as `<Delete><Object><Key>…</Key></Object>…</Delete>`, its members as texts, and the
 * single members beside it.
 *
 * @throws AwsError MalformedXML
 */
export function readDocument(
  body: Buffer,
  { root, element }: { readonly root: string; readonly element: string },
): { readonly items: readonly ReadonlyMap<string, string>[]; readonly members: ReadonlyMap<string, string> } {
  const text = body.toString();
  // No client of S3 sends one, and entities can be bombs.
  if (text.includes('<!DOCTYPE')) throw malformed();
  const content = findRoot(text, root);
  const items = [own(content, element) ?? []].flat();
  return { items: items.map(listTexts), members: listTexts({ ...content, [element]: undefined }) };
}

function findRoot(text: string, root: string): Record<string, unknown> {
  let document: Record<string, unknown>;
  try {
    document = parser.parse(text, true) as Record<string, unknown>;
  } catch {
    throw malformed();
  }
  const content = own(document, root);
  if (typeof content !== 'object' || content === null) throw malformed();
  return content as Record<string, unknown>;
}

function listTexts(item: unknown): ReadonlyMap<string, string> {
  if (typeof item !== 'object' || item === null) throw malformed();
  const texts = Object.entries(item).filter((pair): pair is [string, string] => typeof pair[1] === 'string');
  return new Map(texts);
}

export function malformed(): AwsError {
  return new AwsError(
    'MalformedXML',
    'The XML you provided was not well-formed or did not validate against our published schema',
  );
}
