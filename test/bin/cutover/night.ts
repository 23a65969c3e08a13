import type { CutoverConfig } from '../../../core/cutover/cutover-config';
import { CutoverRun, begin } from '../../../core/cutover/run';
import { parsePlan } from '../../../core/plan/plan';
import type { EndpointOptions } from '../../../rehearsal/aws/endpoint/endpoint';
import type { ExecutionDescription, StateVisit } from '../../../rehearsal/state-machine/model';
import { deployedCutover } from '../../rehearsal/aws/deployed';
import { ACCOUNT, ARNS, REGION, LocalCloud, forward, startLocalCloud } from '../../rehearsal/aws/world';

export const CONFIG = {
  weightedRuleArn: ARNS.rule,
  weightedListenerArn: ARNS.listener,
  smokeListenerArns: { source: ARNS.smokeListener, target: ARNS.smokeListener },
  targetGroupArns: { source: ARNS.source, target: ARNS.target },
  storeBucket: 'store',
  stateMachineArn: ARNS.machine,
  doctorFunctionName: 'doctor',
  undrainFunctionName: 'undrain',
} as CutoverConfig;

/** The one who runs the commands. */
export const OPERATOR = `arn:aws:iam::${ACCOUNT}:user/OPERATOR`;

/** A deployed cutover that people act on: the stack `shop`, its state machine, and what its executions are. */
export interface Night {
  readonly cloud: LocalCloud;
  /** Its execution of this name is in a state, with what the step before it returned. */
  put(name: string, state: string, run?: CutoverRun): ExecutionDescription;
  end(name: string, status: ExecutionDescription['status'], error?: string, cause?: string): void;
  write(key: string, value: object): void;
  read(key: string): unknown;
  shift(source: number, target: number): void;
}

/** @param plan the deployed one */
export async function startNight(plan: object = {}, options: Partial<EndpointOptions> = {}): Promise<Night> {
  const cloud = await startLocalCloud({ stacks: () => [deployedCutover('shop', CONFIG)], ...options });
  const Parameters = {
    Payload: { defaultPlan: plan, changeableParts: ['stages', 'approval', 'judge', 'pollSeconds'] },
  };
  const definition = { StartAt: 'Lock', States: { Lock: { Type: 'Task', Parameters }, Bake: { Type: 'Task' } } };
  Object.assign(cloud.statesModel.stateMachines.get(ARNS.machine)!, { definition: JSON.stringify(definition) });
  Object.assign(process.env, {
    AWS_ENDPOINT_URL: cloud.url,
    AWS_REGION: REGION,
    AWS_ACCESS_KEY_ID: 'OPERATOR',
    AWS_SECRET_ACCESS_KEY: 'none',
  });
  const find = (name: string) => cloud.statesModel.executions.get(`${arnPrefix}${name}`);
  return {
    cloud,
    put: (name, state, run) => {
      const execution = find(name) ?? cloud.statesModel.start(ARNS.machine, name, '{}');
      const at = new Date();
      const before: StateVisit[] = run ? [{ state: 'Lock', at, exit: { at, output: JSON.stringify(run) } }] : [];
      execution.entered.splice(0, execution.entered.length, ...before, { state, at });
      return execution;
    },
    end: (name, status, error, cause) => {
      Object.assign(find(name)!, { status, stoppedAt: new Date(), error, cause });
    },
    write: (key, value) => void cloud.objects.put('store', key, Buffer.from(JSON.stringify(value))),
    read: (key) => {
      const found = cloud.objects.find('store', key);
      return found && (JSON.parse(found.body.toString()) as unknown);
    },
    shift: (source, target) => {
      const groups = [
        ...(source > 0 ? [[ARNS.source, source] as const] : []),
        ...(target > 0 ? [[ARNS.target, target] as const] : []),
      ];
      Object.assign(cloud.elbModel.rule(ARNS.rule), { actions: [forward(...groups)] });
    },
  };
}

const arnPrefix = `arn:aws:states:${REGION}:${ACCOUNT}:execution:cutover:`;

/** A lock as the first step writes it. */
export const lockOf = (name: string) => begin(name, '2026-01-01T00:00:00.000Z', parsePlan({}));
