// `node scripts/release-notes.mjs v0.2.0` prints what the changelog says of that version; it must be the version of package.json.
import { readFileSync } from 'node:fs';

const tag = process.argv[2] ?? '';
const version = tag.replace(/^v/, '');
const { version: packaged } = JSON.parse(readFileSync('package.json', 'utf8'));

function fail(message) {
  process.stderr.write(`${message}\n`);
  process.exit(1);
}

if (tag !== `v${packaged}`) fail(`the tag must be 'v${packaged}', the version of package.json, got '${tag}'`);
const sections = readFileSync('CHANGELOG.md', 'utf8').split(/^## /m).slice(1);
const section = sections.find((each) => each.startsWith(`${version} `) || each.startsWith(`[${version}]`));
if (section === undefined) fail(`'CHANGELOG.md' must have a section '## ${version} (date)', got none`);
process.stdout.write(section.slice(section.indexOf('\n') + 1).trim() + '\n');
