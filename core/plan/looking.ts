/** Between two looks of one invocation of a step, where a look takes no longer. */
export const LOOK_SECONDS = 2;
/** Before the first shift: an abort and an approval are looked for, and nothing else can happen. */
export const QUIET_LOOK_SECONDS = 15;
/**
 * How long one invocation of a step can look again and again. Lambda ends a function after 15 minutes; the last look has time of its own.
 * No wait with traffic on the side that gets it is longer, or no one would look at the end of it.
 */
export const MAX_LOOKING_SECONDS = 840;

/** One invocation of the step that switches follows a copy before the hold for so long. */
export const PREPARE_LOOK_SECONDS = 15;
