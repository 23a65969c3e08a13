import { DISTURBED, HEALTHY, RATES, ROWS, Row, WORSE } from './cutover';
import { Figures, describeShare, describeTime } from './figures';

/** The figures as Markdown: a line for each row, a column for each rule. */
export function drawTable(figures: readonly Figures[]): string {
  const rules = [...new Set(figures.map(({ rule }) => rule))];
  const isWorse = new Set(WORSE.map(({ name }) => name));
  const lines = ROWS.map(({ name }) => {
    const of = (rule: string) => figures.filter((each) => each.row === name && each.rule === rule);
    const cells = rules.map((rule) =>
      of(rule)
        .map(isWorse.has(name) ? describeFound : describeShare)
        .join(' · '),
    );
    return `| ${[isWorse.has(name) ? name : `false: ${name}`, ...cells].join(' | ')} |`;
  });
  const head = `| at ${RATES.join(' · ')} a minute | ${rules.join(' | ')} |`;
  return [head, `|${'---|'.repeat(rules.length + 1)}`, ...lines].join('\n');
}

/** How often each row was simulated, at each rate. */
export function describeRuns(figures: readonly Figures[]): string {
  const count = (row: Row) => figures.find((each) => each.row === row.name)?.cutovers ?? 0;
  const [disturbed] = DISTURBED.map(count);
  const [fiveFold, worse] = WORSE.map(count);
  return (
    `Cutovers at each rate: ${count(HEALTHY)} healthy, ${fiveFold} with five times the errors, ` +
    `${worse} of each other row with a worse target, ${disturbed} of each other.`
  );
}

function describeFound({ medianMinutes, rolledBack, cutovers }: Figures): string {
  if (medianMinutes !== undefined) return describeTime(medianMinutes);
  return rolledBack === 0 ? 'not' : `not (${describeShare({ rolledBack, cutovers })})`;
}
