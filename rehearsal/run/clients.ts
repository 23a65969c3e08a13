import type { ProgressReporter } from '../progress/progress-reporter';
import { shellWord } from '../../core/text/shell-word';
import type { RunningRehearsal } from '../cloud/running-rehearsal';
import { until } from '../processes/waiting';
import { openBrowser } from './open-browser';
import type { LocalCloud } from '../cloud/local-cloud';

/** How a client of one's own reaches the load balancer, with a line to copy. */
export function tellClients(
  { cloud, backends, plan }: RunningRehearsal,
  reporter: ProgressReporter,
  isOpened = false,
): void {
  const { host, port } = address(cloud);
  const counted = cloud.counts.ownClients
    ? ': what fails for them on the way is counted, what they get is not checked'
    : '';
  reporter.step(
    `your own clients are welcome${counted}. ${host} is 127.0.0.1:${port} here, its authority (CA) is in ${cloud.caFile}`,
  );
  const path = backends.own ? '/' : (plan.smoke[0]?.path ?? '/');
  reporter.step(curlLine(cloud, path));
  // Of this machine: no DNS has the name of the template here.
  if (isOpened) openBrowser(`https://localhost:${port}${path}`, cloud.caFile, reporter);
}

export function curlLine(cloud: LocalCloud, path: string): string {
  const { host, port } = address(cloud);
  const resolve = shellWord(`${host}:${port}:127.0.0.1`);
  return `curl --cacert ${shellWord(cloud.caFile)} --resolve ${resolve} ${shellWord(`https://${host}:${port}${path}`)}`;
}

/**
 * Waits until a client other than the rehearsal asks for something, a WebSocket or a stream that stays open included. Call it
 * before the rehearsal's own traffic.
 *
 * @throws the signal's reason
 */
export async function clientsCome(cloud: LocalCloud, reporter: ProgressReporter, signal: AbortSignal): Promise<void> {
  reporter.step('waiting for a client of yours (--wait-for-clients); Ctrl-C ends it');
  const isThere = () => cloud.counts.ownClients?.haveCome ?? (cloud.counts.exchanges > 0 || isAsked(cloud));
  await until(isThere, { signal });
  reporter.step('a client of yours has come');
}

function isAsked({ model: { elb } }: LocalCloud): boolean {
  return [...elb.targetGroups.values()].some(({ targets }) =>
    [...targets.values()].some(({ outstanding }) => outstanding > 0),
  );
}

function address({ model: { config, elb } }: LocalCloud): { host: string; port: number } {
  return { host: config.domainName, port: elb.listener(config.weightedListenerArn).port };
}
