import { Command, Option } from 'commander';
import { describeSide } from '../core/judge/side-state';
import { SIDES, Side } from '../core/traffic/weights';
import { Stop, untilStopped } from './shared/stop';
import { EXIT, OperatorFlags, connect, operatorCommand, runOperator, warn } from './shared/operator-command';

interface UndrainFlags extends OperatorFlags {
  readonly side: Side;
  readonly moveBack: boolean;
}

/** Adds `undrain`. */
export function addUndrainCommand(cli: Command, done: (exitCode: number) => void): void {
  operatorCommand(cli.command('undrain'), 'let the proxies of a side serve again, after a drain that was cut short')
    .addOption(new Option('--side <side>', 'whose proxies').choices([...SIDES]).default('source'))
    .option('--move-back', 'also move back the connections that a drain has moved to the other backend', false)
    .action(async (flags: UndrainFlags) => done(await runOperator((stop) => undrain(flags, stop))));
}

async function undrain({ side, moveBack, ...flags }: UndrainFlags, { signal, endInOrder }: Stop): Promise<number> {
  const { ports } = await connect(flags);
  const held = await ports.lock.heldByAnother('');
  // A drain that is under way would only begin again.
  if (held) throw new Error(`the lock must be free to undrain, got one ${await ports.describeHeld(held)}`);
  endInOrder();
  const rest = `not followed any more: the proxies of the ${side} may serve again all the same. Run the command again`;
  const serveAgain = async () => {
    const first = await ports.undrain(side);
    // To a side that does not serve nothing moves.
    return moveBack && first?.state.serves === true ? ports.undrain(side, 'all') : first;
  };
  const undrained = await untilStopped(serveAgain(), signal, rest);
  if (!undrained) {
    throw new Error(
      `'${flags.stack}' must have a function to undrain, got a stack of an older version: deploy it again`,
    );
  }
  const { state, notUndrained } = undrained;
  for (const line of notUndrained) warn(line);
  const isDone = notUndrained.length === 0;
  const said = isDone
    ? `every proxy of the ${side} was told to serve`
    : `${notUndrained.length} could not be told to serve`;
  const text = `${said}; ${describeSide(side, state)}\n`;
  process.stdout.write(flags.json ? `${JSON.stringify({ stack: flags.stack, side, ...undrained }, null, 2)}\n` : text);
  return isDone && state.serves === true ? EXIT.done : EXIT.refused;
}
