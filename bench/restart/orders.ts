import { createInterface } from 'node:readline';
import type { Order } from './messages';

/** The inside of a script that a `Talker` has started: its process ends with the one that gives the orders. */
export function onOrders(follow: Readonly<Record<Order, () => void>>): void {
  createInterface({ input: process.stdin })
    .on('line', (line) => follow[line as Order]())
    .on('close', () => process.exit(0));
}
