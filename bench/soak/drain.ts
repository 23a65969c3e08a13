import { pause } from '../processes/ports';
import type { Workplace } from '../processes/workplace';
import type { ClientSetup } from './clients/client';
import { readEventsUntilSentAway } from './clients/exchanges';
import { streamUntilSentAway } from './clients/grpc';
import { mixedLoad } from './clients/mix';
import { SoakedProxy } from './proxy/proxy';
import { staySeated } from './clients/web-socket';

/** Of load before the signal. */
const BEFORE_MS = 1000;
/** As a load balancer that has not heard of the end yet, clients go on for a part of the propagation time. */
const AFTER_MS = 400;
const PROPAGATION_SECONDS = 1;
/** Longer than the longest activity of the mix takes. */
const GRACE_SECONDS = 3;

const DRAINED = 'All connections drained gracefully';
const ENDED = 'Graceful shutdown: grace period ends';

export interface DrainOrder {
  readonly isTls: boolean;
  /** Of an upstream that has no outages: whatever is lost, the proxy lost it. */
  readonly upstream: string;
  readonly workers: number;
  readonly clients: number;
}

/**
 * Ends a proxy of its own by SIGTERM, under load: a client that has asked gets a response, one that stays is closed in order.
 */
export async function drainUnderLoad(
  place: Workplace,
  cloud: Pick<ClientSetup, 'account' | 'chance' | 'nextId'>,
  { isTls, upstream, workers, clients }: DrainOrder,
): Promise<void> {
  const name = `the drained proxy${isTls ? ' with TLS' : ''}`;
  const settings = {
    upstream,
    'propagation-seconds': PROPAGATION_SECONDS,
    'grace-period-seconds': GRACE_SECONDS,
    'log-level': 'info',
  };
  const proxy = await SoakedProxy.start(place, { name, isTls, workers, settings });
  const account = cloud.account.withoutExcuses(name);
  let endMs = Number.POSITIVE_INFINITY;
  const goesOn = () => performance.now() < endMs && proxy.child.isRunning();
  const inside: ClientSetup = { ...cloud, account, door: proxy.door, goesOn, goaway: ['unserved'] };
  const load = [mixedLoad(inside, clients), ...stayers(inside)];
  await pause(BEFORE_MS);
  endMs = performance.now() + AFTER_MS;
  await Promise.all([proxy.end(account), ...load]);
  const lines = proxy.logLines();
  for (const expected of [DRAINED, ENDED]) {
    if (!lines.some((line) => line.includes(`"msg":"${expected}"`)))
      account.breachOfRun(`${name} must log '${expected}', got ${lastMessage(lines)}`);
  }
  account.count(`proxy${isTls ? ' with TLS' : ''} drained on SIGTERM`);
}

/** They would never leave by themselves. */
function stayers(cloud: ClientSetup): Promise<void>[] {
  return [
    ...[undefined, undefined, 30, 100, 300].map((asksEveryMs) => staySeated(cloud, asksEveryMs)),
    ...[1, 2].map(() => readEventsUntilSentAway(cloud)),
    ...[1, 2].map(() => streamUntilSentAway(cloud)),
  ];
}

function lastMessage(lines: readonly string[]): string {
  return lines.findLast((line) => line.includes('"msg"')) ?? 'nothing';
}
