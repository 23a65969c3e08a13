import type { Problems } from '../../core/validation/problems';
import type { Values } from './settings';

/** A protocol and perhaps its version (RFC 9110 section 7.8). */
const TOKEN = /^[!#$%&'*+\-.^_`|~0-9a-z]+(\/[!#$%&'*+\-.^_`|~0-9a-z]+)?$/;
/** In these, requests would pass unchecked, or that this proxy would have to end. */
const NEVER = /^(h2c?|h3|http|https|tls|ssl)(\/|$)/;

/** The protocols that are switched to besides `websocket`, out of a list or a text with commas; in lower case. */
export function readUpgradeProtocols({ upgrade_protocols: given }: Values, problems: Problems): readonly string[] {
  if (given === undefined) return [];
  const items: readonly unknown[] = typeof given === 'string' ? given.split(',') : [given].flat();
  const protocols = items.map((item) => (typeof item === 'string' ? item.trim().toLowerCase() : ''));
  if (protocols.every((protocol) => TOKEN.test(protocol) && !NEVER.test(protocol))) return protocols;
  problems.add('upgrade_protocols', 'tokens of Upgrade, and none of h2c, HTTP and TLS', given);
  return [];
}
