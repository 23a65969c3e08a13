import type { AdminTarget } from '../admin/admin-server';
import type { Order } from './messages';

/** @returns why it cannot be followed; undefined when it was */
export function follow(target: AdminTarget, order: Order): string | undefined | Promise<string | undefined> {
  switch (order.kind) {
    case 'drain':
      return target.drain(order.order, order.agoMs);
    case 'undrain':
      return target.undrain(order.order);
    case 'hold':
      return target.hold(order.order);
    case 'release':
      return target.release(order.order);
    case 'retarget':
      return target.retarget(order.order);
  }
}
