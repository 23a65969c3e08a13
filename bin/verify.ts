import { Command } from 'commander';
import { EvidenceVerdict, VerifiedSwitch, verifyEvidence } from '../core/switch/verify-evidence';
import { oneLine } from '../core/text/one-line';
import { EvidenceUnreadable } from '../core/validation/shapes';
import { readEvidenceFile } from './shared/evidence-file';
import { EXIT, asJson, warn } from './shared/operator-command';

type Verified =
  | ({ readonly file: string; readonly verdict: 'verified' | 'rejected' } & EvidenceVerdict)
  | { readonly file: string; readonly verdict: 'unreadable'; readonly problem: string };

/** Adds `verify`. */
export function addVerifyCommand(cli: Command, done: (exitCode: number) => void): void {
  cli
    .command('verify')
    .description(
      "check that each switch in the evidence of cutovers kept to the protocol: that its trace is one of the model's",
    )
    .argument('<files...>', 'evidence (JSON) of cutovers or rehearsals, - for standard input')
    .option('--json', 'print JSON', false)
    .addHelpText(
      'after',
      `\nExit codes: ${EXIT.done} verified, ${EXIT.refused} a file is rejected, ${EXIT.wrongUse} a file cannot be read, or has no switch in it.`,
    )
    .action(async (files: string[], { json }: { json: boolean }) => done(await verify(files, json)));
}

async function verify(files: readonly string[], isJson: boolean): Promise<number> {
  const found: Verified[] = [];
  for (const file of files) found.push(await verifyFile(file));
  if (isJson) process.stdout.write(asJson(found));
  else for (const each of found) print(each);
  if (found.some(({ verdict }) => verdict === 'rejected')) return EXIT.refused;
  return found.some(({ verdict }) => verdict === 'unreadable') ? EXIT.wrongUse : EXIT.done;
}

async function verifyFile(file: string): Promise<Verified> {
  try {
    const verdict = verifyEvidence(await readEvidenceFile(file));
    return { file, verdict: verdict.faults.length === 0 ? 'verified' : 'rejected', ...verdict };
  } catch (error) {
    if (!(error instanceof EvidenceUnreadable)) throw error;
    return { file, verdict: 'unreadable', problem: error.message };
  }
}

function print(found: Verified): void {
  const file = oneLine(found.file);
  if (found.verdict === 'unreadable') return found.problem.split('\n').forEach((line) => warn(`${file}: ${line}`));
  const lines = [`${file}: ${found.verdict}`, ...found.switches.flatMap(formatSwitch)];
  process.stdout.write(`${lines.join('\n')}\n`);
  for (const fault of found.faults) warn(`${file}: ${fault}`);
}

function formatSwitch({ epoch, from, to, outcome, events, fault, notes }: VerifiedSwitch): string[] {
  const verdict = fault ? 'no behaviour of the checked model' : 'a behaviour of the checked model';
  const what = `  epoch ${epoch}, ${from} to ${to}: ${outcome}, ${events} events, ${verdict}`;
  return [what, ...notes.map((note) => `    ${note}`)];
}
