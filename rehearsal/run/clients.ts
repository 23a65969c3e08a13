import type { Screen } from '../progress/progress-reporter';
import { shellWord } from '../report/shell-word';
import type { Standing } from '../cloud/running-rehearsal';
import { until } from '../processes/waiting';
import type { World } from '../cloud/local-cloud';

/** How a client of one's own reaches the load balancer, with a line to copy. */
export function tellClients({ world, backends, plan }: Standing, screen: Screen): void {
  const { host, port } = address(world);
  const counted = world.counts.ownClients
    ? ': what fails for them on the way is counted, what they get is not checked'
    : '';
  screen.step(
    `your own clients are welcome${counted}. ${host} is 127.0.0.1:${port} here, its authority (CA) is in ${world.caFile}`,
  );
  screen.step(curlLine(world, backends.own ? '/' : (plan.smoke[0]?.path ?? '/')));
}

export function curlLine(world: World, path: string): string {
  const { host, port } = address(world);
  const resolve = shellWord(`${host}:${port}:127.0.0.1`);
  return `curl --cacert ${shellWord(world.caFile)} --resolve ${resolve} ${shellWord(`https://${host}:${port}${path}`)}`;
}

/**
 * Waits until somebody else than the rehearsal asks for something, a WebSocket or a stream that stays open included. Call it
 * before the rehearsal's own traffic.
 *
 * @throws the signal's reason
 */
export async function clientsCome(world: World, screen: Screen, signal: AbortSignal): Promise<void> {
  screen.step('waiting for a client of yours (--wait-for-clients); Ctrl-C ends it');
  const isThere = () => world.counts.ownClients?.haveCome ?? (world.counts.exchanges > 0 || isAsked(world));
  await until(isThere, { signal });
  screen.step('a client of yours has come');
}

function isAsked({ blueprint: { elb } }: World): boolean {
  return [...elb.targetGroups.values()].some(({ targets }) =>
    [...targets.values()].some(({ outstanding }) => outstanding > 0),
  );
}

function address({ blueprint: { wiring, elb } }: World): { host: string; port: number } {
  return { host: wiring.domainName, port: elb.listener(wiring.weightedListenerArn).port };
}
