import type { Logger } from 'pino';
import { TaskProtection, moveProtectionClock } from '../../core/proxy/task-protection';
import { SYSTEM_CLOCK } from '../process/clock';
import type { ProxyConfig } from '../config/config';
import type { Integrations } from './snapshot';
import { orderProtection } from './ecs-agent';
import { MetricLines, Written } from './metric-lines';
import { TaskProtector, TaskProtectorOptions } from './task-protector';

/** What was told, for another generation. `protection` is of the clock that `nowMs` is of. */
export interface IntegrationsRecord {
  readonly written?: Written | undefined;
  readonly protection?: TaskProtection | undefined;
  readonly nowMs: number;
}

/** What stands beside a proxy, and tells AWS of it. */
export interface StartedIntegrations {
  /** Writes what is counted and not written yet. */
  flush(): Promise<void>;
  stop(): void;
  /** Stops. Resolves with what another generation has to know. */
  handOver(): Promise<IntegrationsRecord>;
}

/**
 * Starts what the configuration asks for.
 *
 * @param agentUri `ECS_AGENT_URI` of the environment
 * @param before of another generation
 */
export function startIntegrations(
  { metricsService, protectsTask }: ProxyConfig,
  integrations: Integrations,
  log: Logger,
  agentUri: string | undefined,
  before?: IntegrationsRecord,
): StartedIntegrations {
  const lines =
    metricsService === undefined ? undefined : metricLines(metricsService, integrations, log, before?.written);
  const protector = protectsTask === true ? taskProtector(integrations, log, agentUri, before) : undefined;
  lines?.start();
  protector?.start();
  return {
    flush: async () => lines?.flush(),
    stop: () => {
      lines?.stop();
      protector?.stop();
    },
    handOver: async () => {
      const protection = protector?.handOver();
      return { protection, written: await lines?.handOver(), nowMs: SYSTEM_CLOCK.nowMs() };
    },
  };
}

function metricLines(
  service: string,
  integrations: Integrations,
  log: Logger,
  written: Written | undefined,
): MetricLines {
  // By the log's own stream, so that no line comes into the middle of another one; whatever the level of the log is.
  const lines = log.child({}, { level: 'info' });
  const write = (line: object) => lines.info(line, 'Metrics');
  return new MetricLines({ service, integrations, clock: SYSTEM_CLOCK, wallMs: Date.now, write }, written);
}

function taskProtector(
  integrations: Integrations,
  log: Logger,
  agentUri: string | undefined,
  before: IntegrationsRecord | undefined,
): TaskProtector | undefined {
  if (agentUri === undefined || agentUri === '') {
    log.warn("The task is not protected from scale-in: there is no 'ECS_AGENT_URI', which ECS gives its tasks");
    return undefined;
  }
  const options: TaskProtectorOptions = {
    snapshot: () => integrations.snapshot(),
    order: (order, stopped) => orderProtection(agentUri, order, stopped),
    clock: SYSTEM_CLOCK,
    log,
  };
  if (!before?.protection) return new TaskProtector(options);
  return new TaskProtector(options, moveProtectionClock(before.protection, SYSTEM_CLOCK.nowMs() - before.nowMs));
}
