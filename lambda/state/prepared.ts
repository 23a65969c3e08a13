import type { StatePreparation } from '../../core/state/preparation';

/** What a look at the copy before the hold came to. */
export type Prepared =
  | { readonly kind: 'ready'; readonly preparation?: StatePreparation }
  | { readonly kind: 'copying'; readonly preparation: StatePreparation }
  | { readonly kind: 'failed'; readonly preparation: StatePreparation; readonly why: string };
