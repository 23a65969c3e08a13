import { Command, CommanderError } from 'commander';
import { hideCredentials } from '../../core/text/credentials';
import { EXIT_CODES } from '../../core/errors/exit-codes';
import { ignoreClosedPipes } from '../shared/stop';
import { addCaptureCommand } from './capture-command';
import { addReplayCommand } from './replay-command';

/** The commands of captured traffic alone, in one file with all that they need: for the image of a service. */
async function main(): Promise<void> {
  ignoreClosedPipes();
  let exitCode: number = EXIT_CODES.done.code;
  const done = (code: number) => (exitCode = code);
  const cli = new Command('drainshift')
    .description('Reads and replays captured traffic.')
    .configureOutput({ outputError: (text, write) => write(hideCredentials(text)) })
    .exitOverride();
  addReplayCommand(cli, done);
  addCaptureCommand(cli, done);
  try {
    await cli.parseAsync();
  } catch (error) {
    if (!(error instanceof CommanderError)) throw error;
    exitCode = error.exitCode === 0 ? EXIT_CODES.done.code : EXIT_CODES.wrongUse.code;
  }
  process.stdout.write('', () => process.exit(exitCode));
}

void main();
