// Runs apps one after the other, each as the CDK's own command does: with its cdk.json, into a folder of this name beside it. In one
// process: the rules of CloudFormation, which take longer to load than all the rest, are loaded once. Writes how each went as JSON.
import { readFileSync } from 'node:fs';
import { createRequire } from 'node:module';
import { join } from 'node:path';

const [name, ...folders] = process.argv.slice(2);
const written = process.stdout.write.bind(process.stdout);

function run(folder) {
  const { app, context } = JSON.parse(readFileSync(join(folder, 'cdk.json'), 'utf8'));
  const assembly = join(folder, name);
  Object.assign(process.env, { CDK_OUTDIR: assembly, CDK_CONTEXT_JSON: JSON.stringify(context) });
  process.chdir(folder);
  process.exitCode = 0;
  let output = '';
  process.stdout.write = process.stderr.write = (text) => Boolean((output += text));
  try {
    createRequire(join(folder, 'cdk.json'))(join(folder, app.replace(/^node /, '')));
  } catch (error) {
    process.exitCode = 1;
    output += error.stack;
  }
  // At the end of the process the CDK would try again what has failed.
  process.removeAllListeners('beforeExit');
  return { status: process.exitCode, output, assembly };
}

const results = folders.map(run);
process.exitCode = 0;
written(JSON.stringify(results));
