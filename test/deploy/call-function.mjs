// Runs a function of the real bundle as Lambda would: node call-function.mjs BUNDLE HANDLER < event.
import { cpSync, mkdtempSync, readFileSync, rmSync } from 'node:fs';
import { createRequire } from 'node:module';
import { tmpdir } from 'node:os';
import { basename, dirname, join } from 'node:path';

const [bundle, handler] = process.argv.slice(2);
const endMs = Date.now() + 60_000;
// Alone, as in Lambda: the package of an app around it may say that its files are modules.
const folder = mkdtempSync(join(tmpdir(), 'drainshift-function-'));
process.once('exit', () => rmSync(folder, { recursive: true, force: true }));
cpSync(dirname(bundle), folder, { recursive: true });
const functions = createRequire(import.meta.url)(join(folder, basename(bundle)));
await functions[handler](JSON.parse(readFileSync(0, 'utf8')), { getRemainingTimeInMillis: () => endMs - Date.now() });
