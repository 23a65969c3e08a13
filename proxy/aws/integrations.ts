import type { Logger } from 'pino';
import { SYSTEM_CLOCK } from '../process/clock';
import type { ProxyConfig } from '../config/config';
import type { Integrations } from './snapshot';
import { orderProtection } from './ecs-agent';
import { MetricLines } from './metric-lines';
import { TaskProtector } from './task-protector';

/** What stands beside a proxy, and tells AWS of it. */
export interface StartedIntegrations {
  /** Writes what is counted and not written yet. */
  flush(): Promise<void>;
  stop(): void;
}

/**
 * Starts what the configuration asks for.
 *
 * @param agentUri `ECS_AGENT_URI` of the environment
 */
export function startIntegrations(
  { metricsService, protectsTask }: ProxyConfig,
  integrations: Integrations,
  log: Logger,
  agentUri: string | undefined,
): StartedIntegrations {
  const lines = metricsService === undefined ? undefined : metricLines(metricsService, integrations, log);
  const protector = protectsTask === true ? taskProtector(integrations, log, agentUri) : undefined;
  lines?.start();
  protector?.start();
  return {
    flush: async () => lines?.flush(),
    stop: () => {
      lines?.stop();
      protector?.stop();
    },
  };
}

function metricLines(service: string, integrations: Integrations, log: Logger): MetricLines {
  // By the log's own stream, so that no line comes into the middle of another one; whatever the level of the log is.
  const lines = log.child({}, { level: 'info' });
  const write = (line: object) => lines.info(line, 'Metrics');
  return new MetricLines({ service, integrations, clock: SYSTEM_CLOCK, wallMs: Date.now, write });
}

function taskProtector(
  integrations: Integrations,
  log: Logger,
  agentUri: string | undefined,
): TaskProtector | undefined {
  if (agentUri === undefined || agentUri === '') {
    log.warn("The task is not protected from scale-in: there is no 'ECS_AGENT_URI', which ECS gives its tasks");
    return undefined;
  }
  return new TaskProtector({
    snapshot: () => integrations.snapshot(),
    order: (order, stopped) => orderProtection(agentUri, order, stopped),
    clock: SYSTEM_CLOCK,
    log,
  });
}
