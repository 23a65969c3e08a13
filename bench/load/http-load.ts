import { writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { hasCommand } from '../processes/machine';
import { HOST } from '../processes/ports';
import type { Workplace } from '../processes/workplace';
import { ALB_REQUESTS, TRACE_DIGITS } from './alb-request';
import type { LoadResult, Mark } from './inside';
import { nextLine, startScript } from './script';

/** Requests as fast as they get a response, one at a time on each connection. */
export interface HttpLoad {
  readonly port: number;
  readonly path: string;
  readonly method: 'GET' | 'POST';
  /** Of the request. */
  readonly bodyBytes: number;
  readonly isTls: boolean;
  /** A new connection for each request. */
  readonly closes: boolean;
  /** What a load balancer sends, each with a trace id of its own, instead of the same request for `path` again and again. */
  readonly isAlb: boolean;
  readonly connections: number;
  readonly seconds: number;
}

/** Called where the measured time begins and ends. */
export type AtMark = (at: Mark['at']) => void;

/** Puts the load on, with wrk where it is installed. */
export function putHttpLoad(place: Workplace, load: HttpLoad, atMark: AtMark): Promise<LoadResult> {
  return hasWrk() ? withWrk(place, load, atMark) : runLoadScript(place, 'load/http', load, atMark);
}

/** Runs one of our own generators to its end. */
export async function runLoadScript(place: Workplace, file: string, load: object, atMark: AtMark): Promise<LoadResult> {
  const { loadCores: cores, openFiles } = place.placement;
  const script = startScript<Mark>(place, file, load, { cores, openFiles });
  try {
    for (;;) {
      const { at, result } = await nextLine(script);
      atMark(at);
      if (result !== undefined) return result;
    }
  } finally {
    await script.child.kill();
  }
}

interface WrkSummary {
  readonly requests: number;
  readonly micros: number;
  readonly errors: number;
}

async function withWrk(place: Workplace, load: HttpLoad, atMark: AtMark): Promise<LoadResult> {
  const script = join(place.directory, 'wrk.lua');
  writeFileSync(script, wrkScript(load));
  const url = `${load.isTls ? 'https' : 'http'}://${HOST}:${load.port}${load.path}`;
  const args = ['-t', '1', '-c', String(load.connections), '-d', `${Math.ceil(load.seconds)}s`, '-s', script, url];
  const { loadCores: cores, openFiles } = place.placement;
  atMark('begin');
  const wrk = place.children.start({ command: 'wrk', args }, { name: 'wrk', cores, openFiles, output: 'lines' });
  const output: Buffer[] = [];
  wrk.process.stdout?.on('data', (bytes: Buffer) => output.push(bytes));
  const closed = new Promise((resolve) => wrk.process.once('close', resolve));
  const code = await wrk.ended;
  atMark('end');
  await closed;
  const line = /^\{.*\}$/m.exec(Buffer.concat(output).toString())?.[0];
  if (line === undefined) throw new Error(`wrk ended without a summary (${code}): ${wrk.logTail()}`);
  const { requests, micros, errors } = JSON.parse(line) as WrkSummary;
  return { requests, errors, seconds: micros / 1e6 };
}

function wrkScript({ method, bodyBytes, closes, isAlb }: HttpLoad): string {
  return `wrk.method = "${method}"
${closes ? 'wrk.headers["Connection"] = "close"' : ''}
${bodyBytes > 0 ? `wrk.body = string.rep("x", ${bodyBytes})` : ''}
${isAlb ? ALB_SCRIPT : ''}
function done(summary)
  local failed = summary.errors
  local errors = failed.connect + failed.read + failed.write + failed.status + failed.timeout
  io.write(string.format('{"requests":%d,"micros":%d,"errors":%d}\\n', summary.requests, summary.duration, errors))
end
`;
}

/** Lua understands the strings of JSON, of those that stand here. */
const ALB_SCRIPT = `
local before = {${ALB_REQUESTS.map(({ before }) => JSON.stringify(before)).join(', ')}}
local behind = {${ALB_REQUESTS.map(({ behind }) => JSON.stringify(behind)).join(', ')}}
local run = string.format("%08x", os.time())
local count = 0
function request()
  count = count + 1
  local at = count % #before + 1
  return before[at] .. run .. string.format("%0${TRACE_DIGITS - 8}x", count) .. behind[at]
end`;

let isWrkThere: boolean | undefined;
export function hasWrk(): boolean {
  isWrkThere ??= hasCommand('wrk');
  return isWrkThere;
}
