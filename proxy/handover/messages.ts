import type { PackedData } from '../data-plane/contract/handover';

/** Another number is another format, of a generation with other code: nothing is handed over between them. */
export const FORMAT = 6;

/** Where a process takes connections over, and what is to be said first. */
export interface HandoverAddress {
  readonly path: string;
  readonly secret: string;
}

/** What a process gives of what it accepts, and where to. 0 ends it. */
export interface ShareOrder {
  readonly share: number;
  readonly handover: readonly HandoverAddress[];
}

/** From the process that hands over. */
export type ToReceiver =
  | { readonly is: 'hello'; readonly secret: string; readonly format: number }
  /** With the handles and bytes of a connection that is not read any more. It is the sender's until it says otherwise. */
  | { readonly is: 'offer'; readonly id: number; readonly packed: PackedData }
  /** It is the receiver's from now on: it reads, and the sender has closed its copies. */
  | { readonly is: 'yours'; readonly ids: readonly number[] }
  /** The sender reads it again. */
  | { readonly is: 'back'; readonly ids: readonly number[] };

/** From the process that takes over. */
export type ToSender =
  | { readonly is: 'admitted' }
  /** It takes nothing from this sender. */
  | { readonly is: 'notAdmitted'; readonly why: string }
  /** It has all of these, and could go on with them. */
  | { readonly is: 'taken'; readonly ids: readonly number[] }
  /** It has closed its copies. */
  | { readonly is: 'rejected'; readonly id: number; readonly why: string }
  /** It understands nothing any more, and has closed its copies of all that it did not own. */
  | { readonly is: 'fault'; readonly why: string };
