import type { Handing } from '../data-plane/contract/handover';
import type { Clock } from '../process/clock';
import { HandOver, HandOverOptions } from './hand-over';
import { handlePipes } from './handle-pipe-check';
import type { HandoverAddress } from './messages';
import { Receiver, ReceiverLog } from './receiver';
import { Sharing, SharingOptions } from './sharing';

/** The generation before connects within this, or never. */
const LISTEN_MS = 3_600_000;

/** Takes connections over, where this process can. */
export async function takeConnections(handing: Handing, log: ReceiverLog, clock: Clock): Promise<Receiver | undefined> {
  try {
    const why = await findObstacle(handing);
    if (why !== undefined) throw new Error(why);
    const receiver = await Receiver.listen(handing, log);
    const cancel = clock.after(LISTEN_MS, () => void receiver.stopListening());
    receiver.onStop = cancel;
    return receiver;
  } catch (error) {
    log.warn(
      { why: (error as Error).message },
      'No connections of the generation before are taken over: they end there',
    );
    return undefined;
  }
}

/**
 * Gives the connections of this process to those of the next generation: all as soon as they are in turn, and what has a request under
 * way later.
 *
 * @returns undefined where none goes: all end here
 */
export async function giveConnections(
  addresses: readonly HandoverAddress[],
  options: HandOverOptions,
): Promise<HandOver | undefined> {
  if (addresses.length === 0) return undefined;
  const why = await findObstacle(options.plane.handing);
  if (why !== undefined) {
    options.log.warn({ why }, 'Connections are not handed over to the next generation: they end here');
    return undefined;
  }
  const startedMs = options.clock.nowMs();
  const handOver = new HandOver(addresses, options);
  void handOver.swept.then((figures) => {
    const ms = Math.round(options.clock.nowMs() - startedMs);
    if (handOver.hasStarted)
      options.log.info({ ...figures, ms }, 'Connections were handed over to the next generation');
  });
  return handOver;
}

/**
 * Gives a share of what this process accepts to the next generation.
 *
 * @throws Error that says why it cannot
 */
export async function shareConnections(
  addresses: readonly HandoverAddress[],
  options: SharingOptions,
): Promise<Sharing> {
  // Nothing was read of what is given: no state of a connection has to go.
  const { result, why = 'Handles do not go over to another process as is known' } = await handlePipes.settled();
  if (result !== 'right') throw new Error(why);
  if (addresses.length === 0) throw new Error('The new generation takes no connections over');
  return Sharing.start(addresses, options);
}

/** A trial that takes long is waited for: a slow machine costs time, not connections. @returns why nothing can go over */
export async function findObstacle(handing: Handing): Promise<string | undefined> {
  const [{ result, why }] = await Promise.all([handlePipes.settled(), handing.ready()]);
  return result === 'right' ? undefined : why;
}
