import { createInterface } from 'node:readline';
import { join } from 'node:path';
import type { Child } from '../processes/children';
import type { Workplace } from '../processes/workplace';

/** One of our own scripts as a process: it is given JSON, and says JSON lines. */
export interface Script<Line> {
  readonly child: Child;
  readonly lines: AsyncIterableIterator<Line>;
}

export interface ScriptPlace {
  readonly cores: string | undefined;
  readonly openFiles?: number;
}

/** @param name of the script's file in this room: `load/http` */
export function startScript<Line>(place: Workplace, name: string, options: object, where: ScriptPlace): Script<Line> {
  const path = join(__dirname, '..', `${name}.js`);
  const launch = { command: process.execPath, args: [path, JSON.stringify(options)] };
  const child = place.children.start(launch, { name, output: 'lines', ...where });
  return { child, lines: jsonLines<Line>(child) };
}

/** The next line. @throws Error when the process ended without one. */
export async function nextLine<Line>(script: Script<Line>): Promise<Line> {
  const next = await script.lines.next();
  if (next.done !== true) return next.value;
  throw new Error(`${script.child.name} ended early (${await script.child.ended}): ${script.child.logTail()}`);
}

async function* jsonLines<Line>(child: Child): AsyncIterableIterator<Line> {
  const output = child.process.stdout;
  if (output === null) return;
  for await (const line of createInterface({ input: output })) yield JSON.parse(line) as Line;
}
