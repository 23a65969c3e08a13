import { writeFileSync } from 'node:fs';
import { renderComparePage } from '../../compare/page/page';
import type { CompareReport, CompareVerdict } from '../../core/compare/compare-report';
import { EXIT_CODES } from '../../core/errors/exit-codes';
import { asJson } from './operator-command';

/** How a command ends whose result is a comparison. */
export const VERDICT_EXITS: Readonly<Record<CompareVerdict, number>> = {
  promote: EXIT_CODES.done.code,
  'roll back': EXIT_CODES.failed.code,
  inconclusive: EXIT_CODES.unknown.code,
};

/** JSON or HTML, by the end of the file's name. */
export function writeComparison(path: string, comparison: CompareReport): void {
  writeFileSync(path, path.endsWith('.html') ? renderComparePage(comparison) : asJson(comparison));
}
