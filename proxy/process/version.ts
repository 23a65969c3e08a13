/** The package's own; a test compares them. The image holds no package.json to read it from. */
export const VERSION = '0.1.0';
