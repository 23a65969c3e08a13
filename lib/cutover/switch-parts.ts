import { Reference, Token, Tokenization } from 'aws-cdk-lib';
import { CfnBucket, IBucket } from 'aws-cdk-lib/aws-s3';
import { parseUpstreamUrl } from '../../core/validation/upstream-url';
import { MigrationLoadBalancer } from '../load-balancer/migration-load-balancer';
import { CutoverPlan } from '../plan/cutover-plan';
import { ProxyService } from '../proxy/proxy-service';
import { isLater, reject } from '../validation/validation';

type SwitchProxies = Pick<ProxyService, '_upstreams' | '_switchStore' | '_trustedAuthorities'>;

/** What a plan that switches needs of its proxies. */
export interface SwitchParts {
  readonly plan?: CutoverPlan;
  readonly loadBalancer: Pick<MigrationLoadBalancer, 'store'>;
  readonly source: SwitchProxies;
  readonly target: SwitchProxies;
}

const SWITCHES = 'with CutoverPlan.drainThenShift';

/**
 * After a switch the proxies of both sides forward to the same backend, and the store says which one that is. The preflight of
 * a cutover finds what is missing, too: here nothing is deployed yet.
 */
export function checkSwitch({ plan, loadBalancer, source, target }: SwitchParts): void {
  if (!plan?._switches) return;
  checkSide('source', source, { other: target, store: loadBalancer.store });
  checkSide('target', target, { other: source, store: loadBalancer.store });
}

function checkSide(
  side: 'source' | 'target',
  { _upstreams, _switchStore, _trustedAuthorities }: SwitchProxies,
  { other, store }: { readonly other: SwitchProxies; readonly store: IBucket },
): void {
  const { upstreamUrl: expected } = other._upstreams;
  const { otherUpstreamUrl } = _upstreams;
  if (otherUpstreamUrl === undefined || !isSameUpstream(otherUpstreamUrl, expected)) {
    const rule = `the backend of the ${side === 'source' ? 'target' : 'source'} ${SWITCHES} (${expected})`;
    reject(`${side}.otherUpstreamUrl`, rule, otherUpstreamUrl ?? 'nothing');
  }
  if (_switchStore === undefined || isAnother(_switchStore, store)) {
    const rule = `the store of the load balancer ${SWITCHES}`;
    reject(`${side}.switchStore`, rule, _switchStore ? `'${_switchStore.node.path}'` : 'nothing');
  }
  if (_trustedAuthorities === undefined && other._trustedAuthorities && /^https:/i.test(expected)) {
    const rule = `given ${SWITCHES}: these proxies forward to ${expected}, too`;
    reject(`${side}.trustedAuthorities`, rule, 'nothing');
  }
}

/** What is known only at deployment may be the same. */
function isSameUpstream(given: string, expected: string): boolean {
  if (given === expected || [given, expected].some((url) => isLater(url))) return true;
  const [one, two] = [given, expected].map((url) => JSON.stringify(parseUpstreamUrl(url)).toLowerCase());
  return one === two;
}

/** The name of a bucket that is made here is a token, too, and says which bucket it is of. */
function isAnother(given: IBucket, { bucketName: expected }: IBucket): boolean {
  const { bucketName } = given;
  if (bucketName === expected) return false;
  return !Token.isUnresolved(bucketName) || isReferenceToBucket(bucketName);
}

function isReferenceToBucket(bucketName: string): boolean {
  const { firstToken } = Tokenization.reverseString(bucketName);
  return Reference.isReference(firstToken) && firstToken.target instanceof CfnBucket;
}
