import type { Recorded } from './har';
import { findOrigin, listSent } from './har-values';

const READS = ['GET', 'HEAD', 'OPTIONS'];
const LOGIN = /\/(log-?in|sign-?in|sessions?)\/?$/i;
const PASSWORD = /pass|pwd/i;
const LOGOUT = /\/(log|sign)-?(out|off)\b/i;

/**
 * How many of the first requests each client does once: up to the last login, and up to what brings a WebSocket or a stream its cookies
 * and tokens. Repeated in each journey, what comes before a login would have other responses after it.
 *
 * @returns 0 where nothing would be left to repeat
 */
export function countStart(requests: readonly Recorded[], longLived: readonly Recorded[]): number {
  const logins = requests.flatMap((each, index) => (isLogin(each) ? [index] : []));
  const needed = longLived.flatMap((each) => listNeeded(each, requests));
  const count = Math.max(-1, ...logins, ...needed) + 1;
  return count < requests.length ? count : 0;
}

/** From here on there is no session any more; the number of all where no one logs out. */
export function findLogout(recorded: readonly Recorded[]): number {
  const index = recorded.findIndex(({ url }, at) => at > 0 && LOGOUT.test(url.pathname));
  return index === -1 ? recorded.length : index;
}

function isLogin(recorded: Recorded): boolean {
  const { method, status, url } = recorded;
  if (READS.includes(method) || status >= 400) return false;
  const hasPassword = listSent(recorded).some(({ name, place }) => place === 'body' && PASSWORD.test(name));
  return hasPassword || LOGIN.test(url.pathname);
}

/** The requests that brought what this one carries. */
function listNeeded(longLived: Recorded, requests: readonly Recorded[]): number[] {
  const earlier = requests.filter(({ startedMs }) => startedMs <= longLived.startedMs);
  const cookies = longLived.headers
    .filter(([name]) => name.toLowerCase() === 'cookie')
    .flatMap(([, value]) => value.split(';'))
    .map((pair) => pair.trim().split(/=(.*)/s))
    .filter(([name = '']) => !name.startsWith('AWSALB'))
    .map(([name = '', value = '']) => earlier.findIndex(({ source }) => source.cookies.get(name) === value));
  const values = listSent(longLived).flatMap((sent) => findOrigin(sent, earlier)?.from ?? []);
  return [...cookies, ...values].filter((index) => index >= 0);
}
