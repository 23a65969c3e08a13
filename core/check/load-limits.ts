/** What a load is asked to be. */
export interface LoadPlan {
  readonly connections: number;
  /** Connections that are opened in a second. */
  readonly rate: number;
  /** Of each connection. */
  readonly messages: number;
  /** Between two messages of a connection. */
  readonly intervalMs: number;
}

/** What any load may be at the most. */
export const LOAD_LIMITS = {
  connections: 10_000,
  rate: 1_000,
  messages: 100_000,
  intervalMs: { min: 1, max: 3_600_000 },
  totalMessages: 1_000_000,
  totalMs: 6 * 3_600_000,
} as const;

/** What another host than this one gets at the most, unless a person names it as their own. */
export const FOREIGN_LIMITS = { connections: 100, rate: 50, messagesPerSecond: 200 } as const;

/** How long it takes, without the last responses. */
export function estimateMs({ connections, rate, messages, intervalMs }: LoadPlan): number {
  return ((connections - 1) / rate) * 1000 + (messages - 1) * intervalMs;
}

/** @returns what is wrong with it as a whole, as name, rule and value */
export function findLoadProblem(plan: LoadPlan): string | undefined {
  const total = plan.connections * plan.messages;
  if (total > LOAD_LIMITS.totalMessages) {
    return `'--connections' times '--messages' must be at most ${LOAD_LIMITS.totalMessages}, got ${total}`;
  }
  const seconds = Math.ceil(estimateMs(plan) / 1000);
  const max = LOAD_LIMITS.totalMs / 1000;
  return seconds > max ? `the load must end within ${max} s, got one of ${seconds} s` : undefined;
}

/** Whether the load would reach this computer alone: a name may be anywhere. @param host without brackets */
export function isLoopback(host: string): boolean {
  const bare = host.replace(/^\[|\]$/g, '').toLowerCase();
  return bare === 'localhost' || bare === '::1' || /^127(\.\d{1,3}){3}$/.test(bare);
}

/**
 * Whether a host may get a load.
 *
 * @param owned the host that a person says is their own
 * @returns what is wrong, as name, rule and value
 */
export function findForeignProblem(plan: LoadPlan, host: string, owned: string | undefined): string | undefined {
  if (owned !== undefined && owned.toLowerCase() !== host.toLowerCase()) {
    return `'--i-own' must be the host of '--url' (${host}), got '${owned}'`;
  }
  if (isLoopback(host) || owned !== undefined) return undefined;
  const perSecond = Math.ceil((plan.connections * 1000) / plan.intervalMs);
  const rules = [
    ['--connections', plan.connections, FOREIGN_LIMITS.connections],
    ['--rate', plan.rate, FOREIGN_LIMITS.rate],
    ['messages a second', plan.messages > 1 ? perSecond : 0, FOREIGN_LIMITS.messagesPerSecond],
  ] as const;
  const over = rules.find(([, got, max]) => got > max);
  if (!over) return undefined;
  const [name, got, max] = over;
  return `'${name}' must be at most ${max} for another host, got ${got}; '--i-own ${host}' says that it is yours to load`;
}
