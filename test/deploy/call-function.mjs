// Runs a function of the real bundle as Lambda would: node call-function.mjs BUNDLE HANDLER < event.
import { readFileSync } from 'node:fs';
import { createRequire } from 'node:module';

const [bundle, handler] = process.argv.slice(2);
const endMs = Date.now() + 60_000;
const functions = createRequire(import.meta.url)(bundle);
await functions[handler](JSON.parse(readFileSync(0, 'utf8')), { getRemainingTimeInMillis: () => endMs - Date.now() });
