import { isIP } from 'node:net';
import type { Problems } from '../core/problems';
import type { Upstream } from './data-plane/data-plane';
import type { Setting, Values } from './settings';

/** The two upstreams out of what was given. `textOf` reads the file that a setting names, and reports when it cannot. */
export function readUpstreams(
  values: Values,
  textOf: (name: Setting) => string,
  problems: Problems,
): { readonly upstream: Upstream; readonly otherUpstream?: Upstream } {
  const url = address('upstream', values.upstream, problems);
  const serverName = hostName('upstream_server_name', values.upstream_server_name, problems);
  const hasOther = values.other_upstream !== undefined;
  const otherUrl = hasOther && address('other_upstream', values.other_upstream, problems);
  const otherName = hostName('other_upstream_server_name', values.other_upstream_server_name, problems);
  const trust = readTrust(values, textOf, problems);
  return {
    upstream: { ...url, ...trust, ...serverName },
    ...(otherUrl && { otherUpstream: { ...otherUrl, ...trust, ...otherName } }),
  };
}

type Trust = Pick<Upstream, 'verifyCertificate' | 'authorities'>;

function readTrust(values: Values, textOf: (name: Setting) => string, problems: Problems): Trust {
  const verify = values.upstream_verify_certificate ?? true;
  if (typeof verify !== 'boolean') problems.add('upstream_verify_certificate', 'true or false', verify);
  const verifyCertificate = verify === true;
  if (values.upstream_authorities_file === undefined) return { verifyCertificate };
  const authorities = textOf('upstream_authorities_file');
  if (authorities !== '' && !authorities.includes('-----BEGIN CERTIFICATE-----')) {
    problems.add('upstream_authorities_file', 'a PEM file with certificates', values.upstream_authorities_file);
  }
  return { verifyCertificate, authorities };
}

function hostName(name: Setting, value: unknown, problems: Problems): Pick<Upstream, 'serverName'> {
  if (value === undefined) return {};
  if (typeof value === 'string' && isIP(value) === 0) return { serverName: value };
  problems.add(name, 'a host name', value);
  return {};
}

function address(name: Setting, value: unknown, problems: Problems): Upstream {
  const parsed = parseUpstream(value);
  if (parsed) return parsed;
  problems.add(name, 'http(s)://host[:port] without a path', withoutCredentials(value));
  return { protocol: 'http', host: 'localhost', port: 80 };
}

function parseUpstream(value: unknown): Upstream | undefined {
  if (typeof value !== 'string' || !URL.canParse(value)) return undefined;
  const url = new URL(value);
  const isBare =
    url.pathname === '/' && url.search === '' && url.hash === '' && url.username === '' && url.password === '';
  if (!isBare || (url.protocol !== 'http:' && url.protocol !== 'https:')) return undefined;
  const protocol = url.protocol === 'https:' ? 'https' : 'http';
  const port = url.port === '' ? (protocol === 'https' ? 443 : 80) : Number(url.port);
  return port === 0 ? undefined : { protocol, host: url.hostname.replace(/^\[|\]$/g, ''), port };
}

/** A problem goes to logs: a name and password that were put before the host do not. */
function withoutCredentials(value: unknown): unknown {
  return typeof value === 'string' ? value.replace(/^([a-z]+:\/\/)?.*@/is, '$1***@') : value;
}
