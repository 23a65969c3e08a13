import type { Http1Upstream } from './http1-upstream';

/** Connections that wait for a request, by their addresses. The last one used is the next one: few stay busy, and the rest end. */
export class IdleConnections {
  size = 0;
  private readonly byAddress = new Map<string | undefined, Http1Upstream[]>();

  push(connection: Http1Upstream): void {
    const stack = this.byAddress.get(connection.address);
    if (stack) stack.push(connection);
    else this.byAddress.set(connection.address, [connection]);
    this.size += 1;
  }

  last(address: string | undefined): Http1Upstream | undefined {
    return this.byAddress.get(address)?.at(-1);
  }

  /** One that is idle for long, where there is one. */
  any(): Http1Upstream | undefined {
    for (const [first] of this.byAddress.values()) return first;
    return undefined;
  }

  /** Takes it out, to be used. */
  take(connection: Http1Upstream): Http1Upstream {
    this.remove(connection);
    return connection;
  }

  remove(connection: Http1Upstream): void {
    const stack = this.byAddress.get(connection.address);
    const index = stack?.lastIndexOf(connection) ?? -1;
    if (stack === undefined || index < 0) return;
    stack.splice(index, 1);
    this.size -= 1;
    // An address that is not used any more, of a name that gets new ones every day.
    if (stack.length === 0) this.byAddress.delete(connection.address);
  }

  /** Those of each address, the oldest first. */
  all(): Http1Upstream[] {
    return [...this.byAddress.values()].flat();
  }
}
