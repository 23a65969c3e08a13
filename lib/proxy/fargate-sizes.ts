import { reject, isLater } from '../validation/validation';

interface MemoryRange {
  readonly min: number;
  readonly max: number;
  readonly step: number;
}

const GIB = 1024;

/**
 * The sizes of Fargate on Linux: MiB by CPU units. The smallest one has no steps of its own.
 *
 * @see https://docs.aws.amazon.com/AmazonECS/latest/developerguide/fargate-tasks-services.html#fargate-tasks-size
 */
const SIZES: ReadonlyMap<number, MemoryRange> = new Map([
  [256, { min: 512, max: 2 * GIB, step: 512 }],
  [512, { min: GIB, max: 4 * GIB, step: GIB }],
  [1024, { min: 2 * GIB, max: 8 * GIB, step: GIB }],
  [2048, { min: 4 * GIB, max: 16 * GIB, step: GIB }],
  [4096, { min: 8 * GIB, max: 30 * GIB, step: GIB }],
  [8192, { min: 16 * GIB, max: 60 * GIB, step: 4 * GIB }],
  [16384, { min: 32 * GIB, max: 120 * GIB, step: 8 * GIB }],
]);
/** Within the range and the step of its CPU, and not to be had all the same. */
const MISSING_MIB = 1536;

/** The CDK accepts any size, and Fargate rejects the task definition. */
export function checkFargateSize(cpu: number, memoryLimitMiB: number): void {
  if (isLater(cpu)) return;
  const range = SIZES.get(cpu);
  if (!range) return reject('cpu', `one of ${[...SIZES.keys()].join(', ')} on Fargate`, cpu);
  if (isLater(memoryLimitMiB)) return;
  const { min, max, step } = range;
  const isOne = memoryLimitMiB >= min && memoryLimitMiB <= max && memoryLimitMiB % step === 0;
  if (isOne && !(cpu === 256 && memoryLimitMiB === MISSING_MIB)) return;
  reject('memoryLimitMiB', findRule(cpu, range), memoryLimitMiB);
}

function findRule(cpu: number, { min, max, step }: MemoryRange): string {
  if (cpu === 256) return '512, 1024 or 2048 with a cpu of 256 on Fargate';
  return `from ${min} to ${max} in steps of ${step} with a cpu of ${cpu} on Fargate`;
}
