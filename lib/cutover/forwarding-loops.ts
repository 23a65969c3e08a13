import { Annotations, Reference, Token, Tokenization } from 'aws-cdk-lib';
import { Construct } from 'constructs';
import { patternsMeet } from '../../core/traffic/listener-rules';
import { parseUpstreamUrl } from '../../core/validation/upstream-url';
import { MigrationLoadBalancer } from '../load-balancer/migration-load-balancer';
import { ProxyService } from '../proxy/proxy-service';
import { isLater, reject } from '../validation/validation';

/** What leads to the proxies, and to which upstreams they lead. */
export interface LoopParts {
  readonly loadBalancer: MigrationLoadBalancer;
  readonly source: Pick<ProxyService, '_upstreams'>;
  readonly target: Pick<ProxyService, '_upstreams'>;
  /** The name that clients use. */
  readonly domainName: string;
}

/** A name of clients and why it is one. */
interface Front {
  readonly host: string;
  readonly what: string;
}

/**
 * An upstream that is what clients connect to leads back to the proxies. That it works before DNS points at the load balancer
 * is no help: it is what the migration is for. A host that is known at deployment only is compared by what it refers to.
 */
export function checkForwardingLoops(scope: Construct, parts: LoopParts): void {
  const hostHeaders = parts.loadBalancer.weightedRule._hostHeaders;
  const fronts = [
    { host: parts.domainName, what: 'the name that clients use' },
    ...parts.loadBalancer._reachedBy.flatMap((host) => balancerNames(host)),
    ...hostHeaders.filter(isExact).map((host) => ({ host, what: 'a host of the weighted rule' })),
  ];
  // A pattern for all says nothing about one of them.
  const patterns = hostHeaders.filter((each) => !isExact(each) && !/^\*+$/.test(each));
  // One that is the other side's own is named there: its user has given it once.
  const checked = new Set<string>();
  for (const name of ['upstreamUrl', 'otherUpstreamUrl'] as const) {
    for (const side of ['source', 'target'] as const) {
      const url = parts[side]._upstreams[name];
      if (url === undefined || checked.has(url)) continue;
      checked.add(url);
      checkUpstream(scope, `${side}.${name}`, url, { fronts, patterns });
    }
  }
}

/** Route 53 puts `dualstack.` before the name in an alias record, and DNS knows it under both. */
function balancerNames(host: string): Front[] {
  return [host, `dualstack.${host}`].map((each) => ({ host: each, what: 'that of the load balancer' }));
}

function checkUpstream(
  scope: Construct,
  name: string,
  url: string,
  { fronts, patterns }: { readonly fronts: readonly Front[]; readonly patterns: readonly string[] },
): void {
  const host = findHost(url);
  if (host === undefined) return;
  const front = fronts.find((each) => !isLookedUpLater(each.host) && comparable(each.host) === comparable(host));
  if (front) reject(name, `the backend's own address, not ${front.what} (a forwarding loop)`, url);
  const pattern = patterns.find((each) => !isLater(each) && patternsMeet(each.toLowerCase(), comparable(host)));
  if (pattern === undefined || isLater(host)) return;
  Annotations.of(scope).addWarningV2(
    'drainshift:forwardingLoop',
    `'${name}' is ${url}, which the weighted rule's host '${pattern}' matches: see to it that its DNS name leads to the backend, and not to ` +
      'the load balancer. That would be a forwarding loop, which the smoke requests report (ForwardingLoop).',
  );
}

/** What stands for the result of a lookup is the same for all of them. */
function isLookedUpLater(text: string): boolean {
  return isLater(text) && !Token.isUnresolved(text);
}

/** The host of an upstream's URL, also where it or its port is a token. Undefined where nothing is known of it. */
function findHost(url: string): string | undefined {
  if (isLookedUpLater(url)) return undefined;
  if (!Token.isUnresolved(url)) return parseUpstreamUrl(url)?.host;
  return url
    .replace(/^https?:\/\//i, '')
    .replace(/\/$/, '')
    .replace(/:(\d+|\$\{Token\[[^\]]*\]\})$/, '');
}

/** A text that is the same for two hosts if they are: in any case, with a dot behind or none, by whatever token they are told. */
function comparable(host: string): string {
  const text = Tokenization.reverseString(host)
    .mapTokens({ mapToken: (token) => (Reference.isReference(token) ? referred(token) : String(token)) })
    .join({ join: (one, other) => `${one}${other}` }) as string;
  return text.toLowerCase().replace(/\.$/, '');
}

function referred({ target, displayName }: Reference): string {
  return `\0${target.node.path}\0${displayName}\0`;
}

/** One name, and no pattern for many. */
function isExact(hostHeader: string): boolean {
  return !/[*?]/.test(hostHeader);
}
