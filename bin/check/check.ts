import { Command } from 'commander';
import { addHealthCheck } from './health';
import { addLoadCheck } from './load';
import { addScalingCheck } from './scaling';
import { addStateCheck } from './state';
import { addStickinessCheck } from './stickiness';
import { addWebSocketCheck } from './websocket';

/** Adds `check` and its commands. */
export function addCheckCommand(cli: Command, done: (exitCode: number) => void): void {
  const check = cli.command('check').description('check an application from outside, by its URL');
  const checks = [addStickinessCheck, addLoadCheck, addHealthCheck, addStateCheck, addWebSocketCheck, addScalingCheck];
  for (const add of checks) add(check, done);
}
