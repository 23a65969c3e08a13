import { readFileSync } from 'node:fs';
import { join } from 'node:path';
import {
  MOVE_REJECTIONS,
  MOVE_REJECTION_CODES,
  MOVES,
  NO_MOVES,
  addMoves,
  formatMoveRejections,
  isBefore,
  movesSince,
  narrowMoves,
} from '../../../core/moves/moves';

test('an order narrows what the setting allows, and never widens it', () => {
  const results = MOVES.map((setting) => MOVES.map((asked) => narrowMoves(setting, asked)));
  expect(results).toEqual([
    ['none', 'none', 'none'],
    ['none', 'resumable', 'resumable'],
    ['none', 'resumable', 'all'],
  ]);
  expect(MOVES.map((setting) => narrowMoves(setting, undefined))).toEqual(MOVES);
});

test('each rejection has a sentence of its own, and is either before or after the connection was touched', () => {
  const sentences = Object.values(MOVE_REJECTIONS);
  expect(new Set(sentences).size).toBe(sentences.length);
  for (const sentence of sentences) expect(sentence).toMatch(/^[A-Z].*[^.]$/);
  expect(MOVE_REJECTION_CODES.filter(isBefore)).toContain('noToken');
  expect(MOVE_REJECTION_CODES.filter((code) => !isBefore(code))).toContain('late');
});

test('figures of processes add up, and those of a span are what came since its start', () => {
  const a = { rejected: { noToken: 1 }, stall: [1, 2], longestStallMs: 9, underWay: 1 };
  const b = { rejected: { noToken: 2, late: 1 }, stall: [0, 0, 4], longestStallMs: 5, underWay: 0 };
  const sum = { rejected: { noToken: 3, late: 1 }, stall: [1, 2, 4], longestStallMs: 9, underWay: 1 };
  expect(addMoves(a, b)).toEqual(sum);
  expect(addMoves(NO_MOVES, a)).toEqual(a);
  expect(movesSince(a, sum)).toEqual({ ...b, stall: [0, 0, 4], longestStallMs: 9, underWay: 1 });
});

test('the docs have the table of the codes', () => {
  const page = readFileSync(join(__dirname, '../../../docs/proxy.md'), 'utf8');
  expect(page).toContain(formatMoveRejections());
});
