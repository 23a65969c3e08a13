import { randomBytes } from 'node:crypto';
import { CutoverConfig, CONFIG_VARIABLE } from '../../../core/cutover/cutover-config';
import { variableName } from '../../../core/proxy/settings/setting-names';
import type { Identities } from '../assembly/resolve';
import type { Stack } from '../assembly/template';
import type { AlarmSpec } from '../../aws/services/alarms/alarm-states';
import type { FunctionSpec } from '../../functions/function';
import type { ElbModel } from '../../load-balancer/model/model';
import type { MachineDescription } from '../../state-machine/model';
import type { Cluster } from '../../tasks/model';
import type { ServiceSpec } from '../../tasks/runner';
import { UsageError } from '../../errors/usage-error';
import { CustomResource, buildCustomResources } from '../parts/custom-resources';
import { addExisting } from './existing-load-balancer';
import { StatusRule, buildFunctions, buildMachines, buildStatusRules } from '../parts/functions';
import { buildElb } from '../parts/load-balancer';
import { withOneMigration } from './migration';
import { buildAlarms } from './outputs';
import { Resources } from '../resources/resources';
import type { Retries } from '../../functions/retries';
import { buildRetries } from '../parts/retries';
import { Rights, buildRights } from '../parts/rights';
import { buildClusters, buildServices } from '../parts/services';

/** Everything of one stack that a rehearsal stands up, read from its template. */
export interface StackModel {
  readonly stack: Stack;
  readonly resources: Resources;
  /** Until its custom resources have been created, with made-up names in place of theirs. */
  readonly config: CutoverConfig;
  readonly machine: MachineDescription;
  readonly elb: ElbModel;
  readonly clusters: readonly Cluster[];
  readonly services: readonly ServiceSpec[];
  readonly functions: readonly FunctionSpec[];
  readonly machines: readonly MachineDescription[];
  readonly statusRules: readonly StatusRule[];
  /** What becomes of an asynchronous call that fails, by the ARN of its function. */
  readonly retries: ReadonlyMap<string, Retries>;
  /** Values drawn for this run, by ARN. */
  readonly secrets: ReadonlyMap<string, string>;
  /** The function that rotates a secret, by the secret's ARN. */
  readonly rotations: ReadonlyMap<string, string>;
  readonly buckets: readonly string[];
  readonly alarms: readonly AlarmSpec[];
  /** In the order of their creation. */
  readonly customResources: readonly CustomResource[];
  /** What each function may do, by the logical id of its role. */
  readonly rights: Rights;
  /** The one that was given in place of the template's. */
  readonly domain?: string;
}

/** What a template does not say, and what must not change from one reading of a stack to the next. */
interface Known {
  readonly identities?: Identities;
  readonly secrets?: StackModel['secrets'];
  /** Where the assembly comes from, for messages. */
  readonly option?: '--app' | '--redeploy';
  /** Which one, where a stack has several; see {@link withOneMigration}. */
  readonly migration?: string;
  /** In place of the domain name that the template tells. */
  readonly domain?: string;
}

/**
 * Finds the cutover in an assembly and reads its stack.
 *
 * @throws UsageError when there is none, or more than one and no name
 */
export function readStackModel(stacks: readonly Stack[], stackName?: string, known: Known = {}): StackModel {
  const { option = '--app' } = known;
  const named = stackName === undefined ? stacks : stacks.filter(({ name }) => name === stackName);
  if (stacks.length === 0)
    throw new UsageError(`'${option}' must hold a stack with a drainshift Migration, got an assembly without stacks`);
  if (named.length === 0) {
    if (option === '--app')
      throw new UsageError(`'--stack' must be one of ${listNames(stacks)}, got '${stackName ?? ''}'`);
    throw new UsageError(`'${option}' must hold the stack '${stackName ?? ''}', got ${listNames(stacks)}`);
  }
  const found = named.flatMap((stack) => {
    const resources = new Resources(withOneMigration(stack, known.migration), known.identities);
    const notified = buildFunctions(resources);
    const functions = notified.map((spec) => withDomain(spec, known.domain));
    const wired = functions.find(({ environment }) => Object.hasOwn(environment, CONFIG_VARIABLE));
    return wired ? [{ resources, functions, config: configIn(wired) }] : [];
  });
  const [cutover, ...more] = found;
  if (!cutover)
    throw new UsageError(
      `'${option}' must hold a stack with a drainshift Migration, got ${listNames(named)} without one`,
    );
  if (more.length > 0)
    throw new UsageError(
      `'--stack' must name one of ${listNames(found.map(({ resources }) => resources.stack))}, got nothing`,
    );
  return build(cutover, known);
}

function configIn({ environment }: FunctionSpec): CutoverConfig {
  const config = JSON.parse(environment[CONFIG_VARIABLE] ?? '') as CutoverConfig;
  if (!isHostName(String(config.domainName))) {
    throw new UsageError(
      `'--domain' must give the migration's host name where its template has none, got '${config.domainName}'`,
    );
  }
  return config;
}

/** Of a lookup that was not made the CDK says `dummy-value-for-…`. */
function isHostName(text: string): boolean {
  return /^[a-z0-9-]+(\.[a-z0-9-]+)*$/i.test(text) && !text.startsWith('dummy-value-for');
}

/** A domain name that is looked up at deployment, or only at the next synthesis, is not in the template. */
function withDomain(spec: FunctionSpec, domainName: string | undefined): FunctionSpec {
  const text = spec.environment[CONFIG_VARIABLE];
  if (domainName === undefined || text === undefined) return spec;
  const config = JSON.stringify({ ...(JSON.parse(text) as CutoverConfig), domainName });
  return { ...spec, environment: { ...spec.environment, [CONFIG_VARIABLE]: config } };
}

/** The same stack read again with what is known by now, over the same load balancer. */
export function readAgain(model: StackModel, identities: Identities): StackModel {
  const { stack, secrets, elb, domain } = model;
  return { ...readStackModel([stack], undefined, { identities, secrets, domain }), elb };
}

interface Found {
  readonly resources: Resources;
  readonly functions: readonly FunctionSpec[];
  readonly config: CutoverConfig;
}

function build({ resources, functions, config }: Found, known: Known): StackModel {
  const machines = buildMachines(resources);
  const [machine] = machines;
  if (!machine)
    throw new UsageError(
      `'${resources.stack.name}' must have a state machine that calls the cutover's functions, got none`,
    );
  const secrets = new Map(
    resources
      .ofType('AWS::SecretsManager::Secret')
      .map(({ identity: { ref }, properties }) => [
        ref,
        known.secrets?.get(ref) ?? properties.string('SecretString', randomBytes(32).toString('hex')),
      ]),
  );
  const secretValue = (arn: string, variable: string) => {
    const value = secrets.get(arn) ?? [...secrets].find(([known]) => arn.startsWith(known))?.[1];
    // The backends of a rehearsal are others. What is no PEM was drawn here.
    if (variable === variableName('upstream_authorities')) return value?.includes('BEGIN') === true ? value : '';
    if (value === undefined) throw new UsageError(`a container's secret must be in the template, got '${arn}'`);
    return value;
  };
  const clusters = buildClusters(resources);
  const rights = buildRights(resources);
  const customResources = buildCustomResources(resources, functions);
  checkRoles(functions, customResources, rights);
  return {
    stack: resources.stack,
    resources,
    config,
    machine,
    elb: addExisting(ownElb(resources, config), config),
    clusters,
    services: buildServices(resources, clusters, config, secretValue),
    functions,
    machines,
    statusRules: buildStatusRules(resources),
    retries: buildRetries(resources),
    secrets,
    rotations: buildRotations(resources),
    buckets: resources.ofType('AWS::S3::Bucket').map(({ identity }) => identity.ref),
    alarms: buildAlarms(resources, machine),
    customResources,
    rights,
    domain: known.domain,
  };
}

function buildRotations(resources: Resources): Map<string, string> {
  return new Map(
    resources
      .ofType('AWS::SecretsManager::RotationSchedule')
      .map(({ properties }) => [properties.string('SecretId'), properties.string('RotationLambdaARN', '')] as const)
      .filter(([, functionArn]) => functionArn !== ''),
  );
}

/** Of several migrations, the load balancer of the chosen one: the others' would want the same ports. */
function ownElb(resources: Resources, { loadBalancerArn }: CutoverConfig): ElbModel {
  const model = buildElb(resources, loadBalancerArn);
  if (resources.stack.migration === undefined) return model;
  for (const { arn } of [...model.listeners.values()].filter((each) => each.loadBalancerArn !== loadBalancerArn)) {
    for (const rule of model.listRules(arn)) model.rules.delete(rule.arn);
    model.listeners.delete(arn);
  }
  for (const arn of model.loadBalancers.keys()) if (arn !== loadBalancerArn) model.loadBalancers.delete(arn);
  return model;
}

/** The functions of the cutover and of custom resources are held to their rights, so these must be known. */
function checkRoles(
  functions: readonly FunctionSpec[],
  customResources: readonly CustomResource[],
  rights: Rights,
): void {
  const providers = customResources.map(({ serviceToken }) => serviceToken);
  for (const { arn, name, role, environment } of functions) {
    const isHeld = Object.hasOwn(environment, CONFIG_VARIABLE) || providers.includes(arn);
    if (!isHeld || rights.has(role)) continue;
    throw new UsageError(`the role of function '${name}' must be in the template to be rehearsed, got '${role}'`);
  }
}

function listNames(stacks: readonly Stack[]): string {
  return stacks.length === 0 ? 'no stack' : stacks.map(({ name }) => `'${name}'`).join(', ');
}
