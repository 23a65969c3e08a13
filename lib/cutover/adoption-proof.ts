import { CustomResource, Duration, Stack, Token } from 'aws-cdk-lib';
import { ISecurityGroup, IVpc, SubnetSelection } from 'aws-cdk-lib/aws-ec2';
import { PolicyStatement } from 'aws-cdk-lib/aws-iam';
import { Architecture, Code, Function, Runtime } from 'aws-cdk-lib/aws-lambda';
import { IKey } from 'aws-cdk-lib/aws-kms';
import { RetentionDays } from 'aws-cdk-lib/aws-logs';
import { ISecret } from 'aws-cdk-lib/aws-secretsmanager';
import { Construct } from 'constructs';
import { PROOF_VARIABLE, PROOF_WAIT_SECONDS, ProofOrder } from '../../core/cutover/proof';
import { SIDES, Side } from '../../core/traffic/weights';
import { lambdaAsset } from '../shared/assets';
import { CutoverPlan } from '../plan/cutover-plan';
import { SMOKE_LISTENER_READS } from './cutover-rights';
import { createLogGroup, letDecrypt, letRead } from '../shared/encryption';
import { MigrationLoadBalancer } from '../load-balancer/migration-load-balancer';
import { ProxyService } from '../proxy/proxy-service';
import { limitEnvironment } from '../validation/service-limits';
import { SmokeRoute } from './smoke-route';

/** What a deployment may wait (`PROOF_WAIT_SECONDS`), and a last poll and the response. */
const FUNCTION_TIMEOUT = Duration.minutes(12);
/** Longer than an event may be queued and the function may then run. */
const SERVICE_TIMEOUT = Duration.minutes(14);

export interface AdoptionProofProps {
  readonly vpc: IVpc;
  readonly vpcSubnets?: SubnetSelection;
  readonly securityGroup: ISecurityGroup;
  readonly loadBalancer: MigrationLoadBalancer;
  readonly source: ProxyService;
  readonly target: ProxyService;
  readonly domainName: string;
  readonly trustedAuthorities?: ISecret;
  readonly smokeRoute?: SmokeRoute;
  readonly plan: CutoverPlan;
  readonly logRetention: RetentionDays;
  readonly encryptionKey?: IKey;
}

/**
 * What stands before a rule that joins a listener with traffic: it is made only when the proxies run at their minimum count and
 * respond to the plan's smoke requests. The command line asks the same function before each step of the adoption.
 */
export class AdoptionProof extends Construct {
  /** For the command line. */
  public readonly functionName: string;

  constructor(scope: Construct, id: string, props: AdoptionProofProps) {
    super(scope, id);
    const { loadBalancer, source, target, encryptionKey } = props;
    const proof = new Function(this, 'Function', {
      description: 'Proves the proxies before they get requests of an existing listener',
      code: Code.fromAsset(lambdaAsset()),
      handler: 'index.proof',
      runtime: Runtime.NODEJS_24_X,
      architecture: Architecture.ARM_64,
      memorySize: 256,
      timeout: FUNCTION_TIMEOUT,
      maxEventAge: Duration.minutes(1),
      retryAttempts: 0,
      vpc: props.vpc,
      vpcSubnets: props.vpcSubnets,
      securityGroups: [props.securityGroup],
      environment: { [PROOF_VARIABLE]: Stack.of(this).toJsonString(buildOrder(props)) },
      environmentEncryption: encryptionKey,
      logGroup: createLogGroup(this, 'Log', { retention: props.logRetention, encryptionKey }),
    });
    limitEnvironment(proof, "'plan.smoke' and the names of what the cutover acts on");
    letDecrypt(proof, encryptionKey);
    // None of these knows resources.
    const forListeners = props.smokeRoute === SmokeRoute.TARGETS ? [] : SMOKE_LISTENER_READS;
    const actions = [...forListeners, 'TargetGroups', 'TargetHealth'].map(
      (what) => `elasticloadbalancing:Describe${what}`,
    );
    proof.addToRolePolicy(new PolicyStatement({ actions, resources: ['*'] }));
    if (props.trustedAuthorities) letRead(props.trustedAuthorities, proof);
    this.functionName = proof.functionName;
    const resource = new CustomResource(this, 'Resource', {
      resourceType: 'Custom::DrainshiftProof',
      serviceToken: proof.functionArn,
      serviceTimeout: SERVICE_TIMEOUT,
      properties: { ListenerArn: loadBalancer.listener.listenerArn, Sides: sidesWithWeight(loadBalancer) },
    });
    // It responds to CloudFormation from the network: the endpoints and rules that it needs stay until it is deleted.
    const { internetConnectivityEstablished } = props.vpc.selectSubnets(props.vpcSubnets);
    resource.node.addDependency(proof, props.securityGroup, internetConnectivityEstablished);
    resource.node.addDependency(
      source.service,
      target.service,
      loadBalancer.sourceListener,
      loadBalancer.targetListener,
    );
    loadBalancer.weightedRule._createAfterProof(resource);
  }
}

/** The other side is proven by the preflight of a cutover. */
function sidesWithWeight({ initialWeights }: MigrationLoadBalancer): Side[] {
  return SIDES.filter((side) => Token.isUnresolved(initialWeights[side]) || initialWeights[side] > 0);
}

/** A plan with tokens has no defaults yet. */
interface WrittenSmoke {
  readonly smoke?: readonly { readonly path: string; readonly expectedStatus?: number }[];
}

function buildOrder(props: AdoptionProofProps): ProofOrder {
  const { loadBalancer, source, target, domainName, trustedAuthorities, smokeRoute, plan } = props;
  const { smoke = [{ path: '/' }] } = plan._toJson(loadBalancer.initialWeights) as WrittenSmoke;
  return {
    loadBalancerArn: loadBalancer.loadBalancer.loadBalancerArn,
    smokeListenerArns: {
      source: loadBalancer.sourceListener.listenerArn,
      target: loadBalancer.targetListener.listenerArn,
    },
    targetGroupArns: {
      source: loadBalancer.sourceGroup.targetGroup.targetGroupArn,
      target: loadBalancer.targetGroup.targetGroup.targetGroupArn,
    },
    domainName,
    ...(loadBalancer.hasSelfSignedCertificate && { isSelfSigned: true }),
    ...(trustedAuthorities && { trustedAuthoritiesArn: trustedAuthorities.secretArn }),
    ...(smokeRoute === SmokeRoute.TARGETS && { smokeRoute }),
    smoke: smoke.map(({ path, expectedStatus = 200 }) => ({ path, expectedStatus })),
    minTasks: { source: source.minTasks, target: target.minTasks },
    waitSeconds: PROOF_WAIT_SECONDS,
  };
}
