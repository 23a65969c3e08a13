/** What is used of Node's report. */
interface Report {
  excludeNetwork: boolean;
  getReport(): object;
}

interface ReportLimits {
  readonly userLimits?: { readonly open_files?: { readonly soft: number | 'unlimited' } };
}

/**
 * How many files this process may have open at once: `ulimit -n`, which Node raises to its hard limit as it starts. Infinity
 * where there is no limit, or the system does not say.
 *
 * @see https://nodejs.org/api/report.html
 */
export function openFileLimit(): number {
  const report = process.report as unknown as Report;
  // Looking up the names of the peers would take seconds.
  report.excludeNetwork = true;
  const { userLimits } = report.getReport() as ReportLimits;
  const soft = userLimits?.open_files?.soft;
  return typeof soft === 'number' ? soft : Infinity;
}
