import { writeFileSync } from 'node:fs';
import { renderComparePage } from '../../compare/page/page';
import type { CompareReport, CompareVerdict } from '../../core/compare/compare-report';
import { EXIT_CODES } from '../../core/errors/exit-codes';
import { asJson } from './operator-command';
import { nameOutput } from './output-file';

/** How a command ends whose result is a comparison. */
export const VERDICT_EXITS: Readonly<Record<CompareVerdict, number>> = {
  promote: EXIT_CODES.done.code,
  'roll back': EXIT_CODES.failed.code,
  inconclusive: EXIT_CODES.unknown.code,
};

/** JSON or HTML, by the end of the file's name. @throws Error that names `--compare` where it cannot be written */
export function writeComparison(path: string, comparison: CompareReport): void {
  const text = path.endsWith('.html') ? renderComparePage(comparison) : asJson(comparison);
  try {
    writeFileSync(path, text);
  } catch (error) {
    throw nameOutput('--compare', path, error);
  }
}
