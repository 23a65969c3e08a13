import { Command } from 'commander';
import { addHealthCheck } from './health';
import { addLoadCheck } from './load';
import { addStateCheck } from './state';
import { addStickinessCheck } from './stickiness';
import { addWebSocketCheck } from './websocket';

/** Adds `check` and its commands. */
export function addCheckCommand(cli: Command, done: (exitCode: number) => void): void {
  const check = cli.command('check').description('check an application from outside, by its URL');
  for (const add of [addStickinessCheck, addLoadCheck, addHealthCheck, addStateCheck, addWebSocketCheck])
    add(check, done);
}
