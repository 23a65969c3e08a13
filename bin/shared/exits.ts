import type { ExecutionEnd } from '../../core/cutover/execution-look';
import { EXIT_CODES } from '../../core/errors/exit-codes';

interface Exit {
  readonly code: number;
  readonly meaning: string;
}

/** How a command ends that follows an execution to its end. */
export const END_EXITS: Readonly<Record<ExecutionEnd, Exit>> = {
  completed: { code: EXIT_CODES.done.code, meaning: 'completed' },
  rolledBack: { code: EXIT_CODES.rolledBack.code, meaning: 'it failed, and the traffic is where it was' },
  refused: { code: EXIT_CODES.refused.code, meaning: 'rejected before it changed anything' },
  failed: { code: EXIT_CODES.stuck.code, meaning: 'a person has to decide' },
};

/** For the help of such a command: what its exit codes mean beside those of every command. */
export const END_HELP = [END_EXITS.rolledBack, END_EXITS.refused, END_EXITS.failed].map(
  ({ code, meaning }) => `${code} ${meaning}`,
);
