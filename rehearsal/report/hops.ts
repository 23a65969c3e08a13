import { SIDES, Side } from '../../core/traffic/weights';
import type { ApplicationView } from '../cloud/application-view';

type Views = Readonly<Record<Side, ApplicationView>>;

/** `X-Forwarded-For: client, load balancer over a connection of the proxy: 2 hops to trust`, of both sides where they differ. */
export function hopsLine(views: Views): string {
  const [source, target] = SIDES.map((side) => sentence(views[side]));
  return source === target ? `${source}` : `source ${source}; target ${target}`;
}

/** Address by address, for a table: side, connection, X-Forwarded-For, hops to trust. */
export function hopsRows(views: Views): string[][] {
  return SIDES.map((side) => {
    const { connectedFrom, forwardedFor, names, trustedHops } = views[side];
    const named = (address: string) => `${address} (${names[address] ?? 'unknown'})`;
    const list = findList(forwardedFor).map(named).join(', ');
    return [side, named(connectedFrom), list === '' ? 'none' : list, hopsToTrust(trustedHops)];
  });
}

function sentence({ connectedFrom, forwardedFor, names, trustedHops }: ApplicationView): string {
  const formatName = (address: string) => names[address] ?? address;
  const list = findList(forwardedFor).map(formatName).join(', ');
  const field = list === '' ? 'no X-Forwarded-For' : `X-Forwarded-For: ${list}`;
  return `${field}, over a connection of the ${formatName(connectedFrom)}: ${hopsToTrust(trustedHops)}`;
}

function hopsToTrust(hops: number | undefined): string {
  if (hops === undefined) return "the client's address IS NOWHERE";
  return `trust ${hops} ${hops === 1 ? 'hop' : 'hops'} to find the client`;
}

function findList(forwardedFor = ''): string[] {
  return forwardedFor.split(',').map((address) => address.trim()).filter((address) => address !== ''); // prettier-ignore
}
