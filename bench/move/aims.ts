import { findStallMs, type MoveResult } from './figures';

/** What one aim came to, in words. */
export interface AimResult {
  readonly isMet: boolean;
  readonly text: string;
}

export const MAX_STALL_MS = 250;
const PART = 0.99;

export function checkAims({ connections, rounds, totals }: MoveResult): AimResult[] {
  return [
    ...rounds.map(({ to, moved }) => ({
      isMet: moved === connections,
      text: `moved to the ${to}: ${connections}, got ${moved}`,
    })),
    ...rounds.map(({ to, stall }) => {
      const p99 = findStallMs(stall, PART);
      return {
        isMet: p99 <= MAX_STALL_MS,
        text: `stall to the ${to}, p99: at most ${MAX_STALL_MS} ms, got at most ${Math.round(p99)} ms`,
      };
    }),
    ...(['closed', 'lost', 'doubled', 'outOfOrder', 'strays'] as const).map((name) => ({
      isMet: totals[name] === 0,
      text: `${WORDS[name]}: 0, got ${totals[name]}`,
    })),
  ];
}

const WORDS = {
  closed: 'connections that were closed',
  lost: 'messages lost',
  doubled: 'messages doubled',
  outOfOrder: 'messages out of order',
  strays: 'control frames of a move that reached a client',
} as const;
