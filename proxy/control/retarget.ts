import type { Side } from '../../core/traffic/weights';
import type { Upstreams } from '../backend-calls/own-request';
import type { Upstream } from '../data-plane/contract/data-plane';

/** @param other the setting `other_upstream` */
export function listUpstreams(own: Side, upstream: Upstream, other: Upstream | undefined): Upstreams {
  return own === 'source' ? { source: upstream, target: other } : { source: other, target: upstream };
}

/** Which side's upstream requests go to; its own, until it is retargeted. */
export class Retarget {
  private to: Side;
  private current: Upstream;

  /** @throws Error when the own side has no upstream */
  constructor(
    own: Side,
    private readonly upstreams: Upstreams,
  ) {
    this.to = own;
    this.current = this.existing(own);
  }

  get side(): Side {
    return this.to;
  }

  /** Where a request that is decided now goes. */
  get upstream(): Upstream {
    return this.current;
  }

  /** Why requests cannot go to a side; undefined when they can. */
  rejection(to: Side): string | undefined {
    return this.upstreams[to] ? undefined : `'other_upstream' must be configured to go to '${to}', got nothing`;
  }

  turn(to: Side): void {
    this.current = this.existing(to);
    this.to = to;
  }

  private existing(side: Side): Upstream {
    const upstream = this.upstreams[side];
    if (!upstream) throw new Error(this.rejection(side));
    return upstream;
  }
}
