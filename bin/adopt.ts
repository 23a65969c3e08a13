import { setTimeout as pause } from 'node:timers/promises';
import { Command, InvalidArgumentError, Option } from 'commander';
import { AdoptionState } from '../core/traffic/adoption';
import { describeHolder } from '../core/traffic/lock';
import { SIDES, Side } from '../core/traffic/weights';
import { AdoptionReading, changeAdoption, readAdopted } from './adopt-change';
import {
  EXIT,
  OperatorFlags,
  WrongUse,
  agrees,
  asJson,
  findCutover,
  manualExecution,
  noteLock,
  operatorCommand,
  runOperator,
  warn,
} from './shared/operator-command';
import type { Stop } from './shared/stop';

interface AdoptFlags extends OperatorFlags {
  readonly share?: number;
  readonly side?: Side;
  readonly past?: string;
  readonly yes: boolean;
}

/** Adds `adopt`. */
export function addAdoptCommand(cli: Command, done: (exitCode: number) => void): void {
  operatorCommand(
    cli.command('adopt'),
    'let the requests of an existing listener come through the proxies step by step, or go past them again',
  )
    .option('--share <percent>', 'how many of 100 requests come through the proxies; without it, print it', shareFrom)
    .addOption(
      new Option('--side <side>', 'the side that serves, where all requests go past the proxies').choices(SIDES),
    )
    .option('--past <arn>', 'the group that takes the others, where it is another one than before the migration')
    .option('--yes', 'do not ask', false)
    .action(async (flags: AdoptFlags) => done(await runOperator((stop) => adopt(flags, stop))));
}

function shareFrom(text: string): number {
  const value = Number(text);
  if (text.trim() !== '' && Number.isInteger(value) && value >= 0 && value <= 100) return value;
  throw new InvalidArgumentError(`must be an integer from 0 to 100, got '${text}'`);
}

async function adopt(flags: AdoptFlags, { signal, endInOrder }: Stop): Promise<number> {
  const { share, side, past, stack } = flags;
  if (share !== undefined && !flags.yes && !process.stdin.isTTY) {
    throw new WrongUse("'--yes' must be given where no operator can be asked, got none");
  }
  const { aws, config } = await findCutover(flags);
  const ports = aws.adoptionPorts(config, warn);
  if (share === undefined) return show(flags, await readAdopted(ports));
  const execution = manualExecution();
  const result = await changeAdoption(ports, {
    request: { share, ...(side && { side }), ...(past !== undefined && { pastArn: past }) },
    execution,
    agree: async (before) => flags.yes || agrees(formatPrompt(stack, before, share), signal),
    endInOrder,
    onLock: (isHeld) => noteLock(isHeld, execution),
    signal,
    now: () => Date.now(),
    pause: (ms) => pause(ms),
  });
  const said = { changed: 'changed, and read back', unchanged: 'nothing was changed', declined: 'nothing was changed' };
  if (flags.json) process.stdout.write(asJson({ stack, ...result }));
  else process.stdout.write(`${said[result.outcome]}: ${sentence(result.after)}\n`);
  return result.outcome === 'declined' ? EXIT.refused : EXIT.done;
}

function show({ json, stack }: AdoptFlags, { state, lock, adopted }: AdoptionReading): number {
  const holder = lock ? describeHolder(lock) : 'free';
  if (json) process.stdout.write(asJson({ stack, ruleArn: adopted.rule.arn, ...state, lock: lock ?? null }));
  else process.stdout.write(`${sentence(state)}\nlock  ${holder}\nrule  ${adopted.rule.arn}\n`);
  return EXIT.done;
}

function formatPrompt(stack: string, before: AdoptionState, share: number): string {
  return `Of '${stack}', ${sentence(before)}. Let ${share} of 100 come through the proxies? [y/N] `;
}

function sentence({ share, side, pastArn }: AdoptionState): string {
  const through = `${Number(share.toFixed(1))} of 100 requests come through the proxies${side ? ` of the ${side}` : ''}`;
  return share === 100 || pastArn === undefined ? through : `${through}, the others go past them to ${pastArn}`;
}
