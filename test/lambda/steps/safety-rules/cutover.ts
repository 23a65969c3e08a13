import { CutoverRun } from '../../../../core/cutover/run';
import { confirm } from '../../../../lambda/steps/confirm';
import { shift } from '../../../../lambda/steps/shift';
import { MemoryCloud, arns } from '../../world';

export const ON_TARGET = [{ arn: arns.target, weight: 100 }];
export const ON_SOURCE = [{ arn: arns.source, weight: 100 }];
export const HALF = [
  { arn: arns.source, weight: 50 },
  { arn: arns.target, weight: 50 },
];
export const last = { stages: [{ weights: { source: 0, target: 100 }, bakeSeconds: 10 }], pollSeconds: 5 };
export const half = {
  stages: [
    { weights: { source: 50, target: 50 }, bakeSeconds: 10 },
    { weights: { source: 0, target: 100 }, bakeSeconds: 10 },
  ],
  pollSeconds: 5,
  approval: { beforeLastStage: true, timeoutSeconds: 600 },
};
export const change = { detail: { name: 'night', status: 'ABORTED' } };

export async function shifted(cloud: MemoryCloud, plan: object = last): Promise<CutoverRun> {
  return shift(cloud.ready(plan), cloud.ports, cloud.nowMs);
}

export async function confirmed(cloud: MemoryCloud, plan: object = last): Promise<CutoverRun> {
  return confirm(await shifted(cloud, plan), cloud.ports, cloud.nowMs);
}
