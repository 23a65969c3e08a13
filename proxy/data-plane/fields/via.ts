import type { RequestHead } from '../contract/data-plane';
import type { FieldBlock, InterimHead } from '../contract/streams';
import { listLines } from './lines';

/** The member of a `Via` for a message that was received in this version of HTTP (RFC 9110 section 7.6.3). */
export function viaMember(received: RequestHead['httpVersion'], name: string): string {
  return `${received === '2' ? '2.0' : received} ${name}`;
}

/** The fields of a response, with a `Via` behind those that came if there is a name for it. */
export function withVia({ httpVersion, fields }: InterimHead, name: string | undefined): FieldBlock {
  return name === undefined ? fields : fields + listLines('Via', viaMember(httpVersion, name));
}
