/** Where a rehearsal can have captured traffic. */
export const CAPTURES = ['s3', 'kafka'] as const;

export type CaptureName = (typeof CAPTURES)[number];
