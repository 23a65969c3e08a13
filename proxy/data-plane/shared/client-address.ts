import type { RequestHead } from '../contract/data-plane';

/** Who asked, as the load balancer saw it: it appends the address that connected to it. */
export function findClient(head: RequestHead): string {
  const forwarded = head.field('x-forwarded-for');
  return forwarded === undefined ? head.client.address : forwarded.slice(forwarded.lastIndexOf(',') + 1).trim();
}

/** The same for what outlives its request: a text of its own, because a part of a head keeps the whole head. */
export function keepClient(head: RequestHead): string {
  const address = findClient(head);
  return address === head.client.address ? address : Buffer.from(address, 'latin1').toString('latin1');
}
