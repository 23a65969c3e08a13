import { BlockList, isIP } from 'node:net';
import { networkInterfaces } from 'node:os';
import type { Problems } from '../../core/validation/problems';
import { isHostName, parseUpstreamUrl, UPSTREAM_URL_RULE } from '../../core/validation/upstream-url';
import type { Upstream } from '../data-plane/contract/data-plane';
import { parseCertificates } from './pem';
import { PROXY_SETTINGS } from '../../core/proxy/settings/settings';
import type { Setting } from '../../core/proxy/settings/setting-names';
import { Values, readSetting } from './given';

type Address = Pick<Upstream, 'host' | 'port'>;

const LOOPBACK = new BlockList();
LOOPBACK.addSubnet('127.0.0.0', 8, 'ipv4');
LOOPBACK.addAddress('::1', 'ipv6');

/**
 * The two upstreams out of what was given. `listen` is the proxy's own address. `textOf` reads the file that a setting
 * names, and reports when it cannot.
 */
export function readUpstreams(
  values: Values,
  listen: Address,
  readText: (name: Setting) => string | undefined,
  problems: Problems,
): { readonly upstream: Upstream; readonly otherUpstream?: Upstream } {
  const url = readAddress('upstream', values.upstream, listen, problems);
  const serverName = hostName('upstream_server_name', values.upstream_server_name, problems);
  const hasOther = values.other_upstream !== undefined;
  const otherUrl = hasOther && readAddress('other_upstream', values.other_upstream, listen, problems);
  const otherName = hostName('other_upstream_server_name', values.other_upstream_server_name, problems);
  const trust = readTrust(values, readText, problems);
  const both = { ...trust, ...localAddress(values, problems) };
  return {
    upstream: { ...url, ...both, ...serverName },
    ...(otherUrl && { otherUpstream: { ...otherUrl, ...both, ...otherName } }),
  };
}

/** Whether this machine has it shows when it connects: a host may get an address later. */
function localAddress({ upstream_local_address: value }: Values, problems: Problems): Pick<Upstream, 'localAddress'> {
  if (value === undefined) return {};
  const family = typeof value === 'string' ? isIP(value) : 0;
  if (typeof value === 'string' && family !== 0 && !OF_NO_MACHINE.check(value, family === 4 ? 'ipv4' : 'ipv6')) {
    return { localAddress: value };
  }
  problems.add('upstream_local_address', PROXY_SETTINGS.upstream_local_address.rule, value);
  return {};
}

/** Multicast (RFC 5771, RFC 4291 section 2.7) and broadcast (RFC 919): no connection can come from these. */
const OF_NO_MACHINE = new BlockList();
OF_NO_MACHINE.addSubnet('224.0.0.0', 4, 'ipv4');
OF_NO_MACHINE.addAddress('255.255.255.255', 'ipv4');
OF_NO_MACHINE.addSubnet('ff00::', 8, 'ipv6');

type Trust = Pick<Upstream, 'verifyCertificate' | 'authorities'>;

function readTrust(values: Values, readText: (name: Setting) => string | undefined, problems: Problems): Trust {
  const verifyCertificate = readSetting('upstream_verify_certificate', values, problems);
  const authorities = readAuthorities(values, readText, problems);
  return { verifyCertificate, ...(authorities !== undefined && { authorities }) };
}

function readAuthorities(
  values: Values,
  readText: (name: Setting) => string | undefined,
  problems: Problems,
): string | undefined {
  const { upstream_authorities: text, upstream_authorities_file: file } = values;
  if (text === undefined) {
    const authorities = file === undefined ? undefined : readText('upstream_authorities_file');
    if (authorities !== undefined && !parseCertificates(authorities))
      problems.add('upstream_authorities_file', 'a PEM file with certificates', file);
    return authorities;
  }
  if (file !== undefined) problems.add('upstream_authorities', "absent next to 'upstream_authorities_file'", 'both');
  if (typeof text === 'string' && parseCertificates(text)) return text;
  // It may be a secret of another kind that was given by mistake.
  const got = typeof text === 'string' ? `${text.length} characters` : typeof text;
  problems.add('upstream_authorities', PROXY_SETTINGS.upstream_authorities.rule, got);
  return undefined;
}

function hostName(name: Setting, value: unknown, problems: Problems): Pick<Upstream, 'serverName'> {
  if (value === undefined) return {};
  if (typeof value === 'string' && isIP(value) === 0 && isHostName(value)) return { serverName: value };
  problems.add(name, PROXY_SETTINGS.upstream_server_name.rule, value);
  return {};
}

/** Reads the URL of a server that the proxy calls. */
export function readAddress(name: Setting, value: unknown, listen: Address, problems: Problems): Upstream {
  const parsed = parseUpstreamUrl(value);
  if (parsed && reaches(listen, parsed)) {
    problems.add(name, "another address than 'listen', so that the proxy does not call itself", value);
  }
  if (parsed) return parsed;
  problems.add(name, UPSTREAM_URL_RULE, withoutCredentials(value));
  return { protocol: 'http', host: 'localhost', port: 80 };
}

/** A problem goes to logs: a name and password that were put before the host do not. */
function withoutCredentials(value: unknown): unknown {
  return typeof value === 'string' ? value.replace(/^([a-z]+:\/\/)?.*@/is, '$1***@') : value;
}

/** Whether who asks for `upstream` reaches `listen`. */
export function reaches(listen: Address, upstream: Address): boolean {
  if (listen.port !== upstream.port) return false;
  const [own, asked] = [canonical(listen.host), canonical(upstream.host)];
  if (own === asked) return true;
  // IPv6's any-address takes IPv4 too.
  if (own === '::') return isLoopback(asked) || asked === '0.0.0.0' || isOfThisMachine(asked);
  if (own === '0.0.0.0') return (isLoopback(asked) && asked !== '::1') || isOfThisMachine(asked, 'IPv4');
  return (own === 'localhost' && isLoopback(asked)) || (asked === 'localhost' && isLoopback(own));
}

/** An address has one spelling in a URL: `::1` for `0:0:0:0:0:0:0:1`. */
function canonical(host: string): string {
  return isIP(host) === 6 ? new URL(`http://[${host}]`).hostname.slice(1, -1) : host.toLowerCase();
}

/**
 * Whether it is the address of one of the network's interfaces; no other process can listen there while the proxy does
 * everywhere.
 */
function isOfThisMachine(host: string, family?: 'IPv4'): boolean {
  const own = Object.values(networkInterfaces()).flatMap((addresses) => addresses ?? []);
  return own.some((one) => one.address === host && (family === undefined || one.family === family));
}

function isLoopback(host: string): boolean {
  const version = isIP(host);
  return host === 'localhost' || (version !== 0 && LOOPBACK.check(host, version === 6 ? 'ipv6' : 'ipv4'));
}
