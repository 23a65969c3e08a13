/** What was to be compared could not be read. The message says why. */
export class Unreadable extends Error {}

/** The store is one that this cannot read as a whole. */
export class ClusterMode extends Error {}
