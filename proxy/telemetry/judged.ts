import { SMOKE_AGENT } from '../../core/plan/smoke';
import type { RequestHead } from '../data-plane/contract/data-plane';

/**
 * Whether a request is one of the traffic that weights share out, and that a cutover judges a side by. Those that came by a port of the
 * smoke tests are of testers and monitors. A request whose port is not known, or is a list of several, counts.
 *
 * The smoke requests of the cutover count, because its steps know how many there were, and subtract them.
 *
 * @see https://docs.aws.amazon.com/elasticloadbalancing/latest/application/x-forwarded-headers.html#x-forwarded-port
 */
export function isJudged(head: RequestHead, smokeTestPorts: ReadonlySet<string>): boolean {
  if (smokeTestPorts.size === 0) return true;
  const port = head.field('x-forwarded-port');
  return port === undefined || !smokeTestPorts.has(port) || head.field('user-agent') === SMOKE_AGENT;
}
