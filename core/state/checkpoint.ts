import { oneLine } from '../text/one-line';

/** What a host does of a checkpoint; `host/checkpoint.sh` says what each is. */
export const CHECKPOINT_ACTIONS = [
  'check',
  'prepare',
  'dump',
  'restore',
  'resume',
  'suspend',
  'discard',
  'end',
] as const;

export type CheckpointAction = (typeof CHECKPOINT_ACTIONS)[number];

/** What dumps and restores processes. */
export const CHECKPOINT_ENGINE_NAMES = ['criu', 'cedana'] as const;

export type CheckpointEngineName = (typeof CHECKPOINT_ENGINE_NAMES)[number];

/** A call of a host. */
export interface CheckpointCall {
  readonly action: CheckpointAction;
  /** The name of the copy. */
  readonly copy: string;
  /** Of the switch. */
  readonly epoch: number;
  /** Whether it follows the decision: then nothing on the way to it may come later, and it has no time until which it must begin. */
  readonly isBehind: boolean;
  /** Milliseconds since the epoch: what stops or replaces a process begins before it. */
  readonly untilMs: number;
}

/** `free`: the room that a host has for images. */
export type CheckpointResponse = { readonly bytes?: number; readonly free?: number } | { readonly problem: string };

const MAX_SHOWN = 300;

/** Reads the line that a host prints. */
export function readCheckpointResponse({ action }: Pick<CheckpointCall, 'action'>, output: string): CheckpointResponse {
  const line = output.trim().split('\n').at(-1) ?? '';
  const { ok, why, bytes, free } = parse(line);
  if (ok === true) return { ...(isCount(bytes) && { bytes }), ...(isCount(free) && { free }) };
  const got = ok === false && typeof why === 'string' ? why : line;
  return { problem: `'${action}' must succeed, got ${oneLine(got, MAX_SHOWN) || 'no output'}` };
}

function parse(line: string): {
  readonly ok?: unknown;
  readonly why?: unknown;
  readonly bytes?: unknown;
  readonly free?: unknown;
} {
  try {
    return (JSON.parse(line) as object | null) ?? {};
  } catch {
    return {};
  }
}

function isCount(value: unknown): value is number {
  return Number.isSafeInteger(value) && (value as number) >= 0;
}
