import { SMOKE_AGENT } from '../../../core/plan/smoke';
import type { Side } from '../../../core/traffic/weights';
import type { Asked, BalancerEvents, Exchanged } from './events';
import { SIDE_HEADER, isClientAddress } from '../../processes/loopback';
import { OwnClients } from './own-clients';

/** What a rehearsal counts at its load balancer. */
export class BalancerCounts implements BalancerEvents {
  /** HTTP responses so far to any client, by the side that the load balancer chose; its own, and those to smoke requests, are in neither. */
  readonly responses: Record<Side, number> = { source: 0, target: 0 };
  /** Everything that got a response, from any server. */
  exchanges = 0;
  /** Undefined where clients cannot be told apart by their addresses. */
  readonly ownClients: OwnClients | undefined;

  constructor(
    private readonly findSide: (groupArn: string) => Side | undefined,
    hasLoopbackNetwork: boolean,
  ) {
    this.ownClients = hasLoopbackNetwork ? new OwnClients() : undefined;
  }

  started(asked: Asked): void {
    this.ownClients?.started(asked);
  }

  opened(asked: Asked, kind: string): void {
    this.ownClients?.opened(asked, kind);
  }

  ended(asked: Asked, exchanged: Exchanged): void {
    const { groupArn, outcome } = exchanged;
    this.exchanges += 1;
    const side = groupArn === undefined ? undefined : this.findSide(groupArn);
    const isResponse = outcome.status !== undefined && outcome.kind === 'http';
    if (side !== undefined && isResponse && asked.agent !== SMOKE_AGENT) this.responses[side] += 1;
    this.ownClients?.ended(asked, exchanged);
  }

  /** Clients of yours get what they would get at AWS. */
  listHints({ client }: Asked, groupArn: string): Record<string, string> {
    const side = isClientAddress(client) ? this.findSide(groupArn) : undefined;
    return side === undefined ? {} : { [SIDE_HEADER]: side };
  }
}
