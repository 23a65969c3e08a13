import { budgetProblem } from '../../core/proxy/shutdown-budget';
import { fileProblem } from '../../core/proxy/file-budget';
import type { ProxyConfig } from '../config/config';
import { openFileLimit } from '../process/file-limit';
import { PROXY_SETTINGS } from '../../core/proxy/settings/settings';

/** Who asked for no number of connections is told only of so few that any traffic would miss them. */
const FEW = 1_000;

/** Warns of what is configured and does not fit what there is. Of several workers the primary process says it once. */
export function warnAtStart(config: ProxyConfig, log: { warn(message: string): void }): void {
  const shutdown = budgetProblem(config);
  if (shutdown !== undefined) log.warn(`The shutdown would be killed before its end: ${shutdown}`);
  const { openFiles = openFileLimit(), clientConnections, upstreamConnections } = config.limits;
  const share = (limit: number, usual: number) =>
    Math.ceil((limit === usual ? Math.min(FEW, usual) : limit) / config.workers);
  const files = fileProblem(openFiles, {
    clientConnections: share(clientConnections, PROXY_SETTINGS.client_connections.default),
    upstreamConnections: share(upstreamConnections, PROXY_SETTINGS.upstream_connections.default),
  });
  if (files !== undefined) log.warn(`Few connections: ${files}`);
}
