/** Which live connections move to the other side's backend while their client stays connected to its proxy. */
export enum ConnectionMoves {
  /** None: they are closed in order, and their clients connect anew. */
  NONE = 'none',
  /** Those that their application can resume: it gave a resume token, its protocol has an adapter, its events have ids. */
  RESUMABLE = 'resumable',
  /** All that can be moved, also where the application has said nothing of it. */
  ALL = 'all',
}
