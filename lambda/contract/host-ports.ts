import type { CheckpointCall } from '../../core/state/checkpoint';
import type { Side } from '../../core/traffic/weights';

/** The hosts on which an application runs, where its memory goes along. */
export interface HostsPort {
  /**
   * Begins a call of a host; one whose response is lost may be made twice.
   *
   * @returns its id
   * @throws Error when it is not accepted, or not within the limit
   */
  send(order: HostOrder, limitMs: number): Promise<string>;
  /**
   * @returns what it has printed; undefined while it is under way
   * @throws Error when it never ran, or cannot be read
   */
  read(order: Pick<HostOrder, 'instanceId'>, id: string, limitMs: number): Promise<string | undefined>;
}

export interface HostOrder extends CheckpointCall {
  readonly documentName: string;
  readonly instanceId: string;
  /** Whose host it is. */
  readonly side: Side;
}
