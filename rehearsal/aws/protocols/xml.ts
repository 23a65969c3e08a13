import { XMLBuilder } from 'fast-xml-parser';
import type { AwsObject, AwsValue } from '../operations/operation';

const builder = new XMLBuilder({ ignoreAttributes: false, attributeNamePrefix: '@', suppressEmptyNode: true });

/** `<root xmlns="…">…</root>` of content that {@link xmlContent} made. */
export function xmlDocument(root: string, namespace: string | undefined, content: AwsObject): string {
  const attributes = namespace === undefined ? {} : { '@xmlns': namespace };
  return `<?xml version="1.0" encoding="UTF-8"?>\n${builder.build({ [root]: { ...attributes, ...content } })}`;
}

/**
 * The content of an element. Lists become `<Rules><member>…</member></Rules>` where `listMember` names the inner element
 * (the Query protocol), else repeated elements `<Contents>…</Contents><Contents>…</Contents>` (S3).
 */
export function xmlContent(content: AwsObject, listMember?: string): AwsObject {
  const members = Object.entries(content).filter(([, member]) => member !== undefined);
  return Object.fromEntries(members.map(([name, member]) => [name, element(member, listMember)]));
}

function element(value: AwsValue, listMember: string | undefined): AwsValue {
  if (value === undefined) return undefined;
  if (Array.isArray(value)) {
    const items = value.map((item: AwsValue) => element(item, listMember));
    return listMember === undefined ? items : { [listMember]: items };
  }
  if (typeof value !== 'object' || value instanceof Date) return leaf(value);
  return xmlContent(value as AwsObject, listMember);
}

/** What XML 1.0 cannot hold is replaced; dates are ISO 8601. */
function leaf(value: string | number | boolean | Date): string {
  if (value instanceof Date) return value.toISOString();
  return String(value).replace(/[\u0000-\u0008\u000b\u000c\u000e-\u001f\ufffe\uffff]/g, '\ufffd');
}
