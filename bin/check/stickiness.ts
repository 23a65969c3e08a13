import { Command, InvalidArgumentError, Option } from 'commander';
import { StickinessPlan, checkStickiness } from '../../check/stickiness';
import { showUrl } from '../../check/target';
import { DEFAULT_SERVER_FIELDS } from '../../core/check/server-name';
import { StickinessFigures, formatShare, judgeStickiness } from '../../core/check/stickiness';
import { wholeNumberFrom } from '../shared/numbers';
import { WrongUse, runOperator } from '../shared/operator-command';
import {
  WebSocketFlags,
  readField,
  readShare,
  readTarget,
  timeOption,
  urlFrom,
  withSubprotocols,
  withTarget,
} from './flags';
import { formatTable, runCheck, withExits } from './run-check';

interface StickinessFlags extends WebSocketFlags {
  readonly clients: number;
  readonly requests: number;
  readonly interval: number;
  readonly serverHeader?: string;
  readonly serverField?: readonly (readonly string[])[];
  readonly withoutCookies: boolean;
  readonly cookiesFrom?: URL;
  readonly send: string;
  readonly minStayed: number;
  readonly minServers: number;
  readonly maxFailed: number;
}

const MAX_CLIENTS = 1_000;
const MAX_REQUESTS = 1_000;
/** As the scripts do that are in use. */
const GREETING = '{"type":"test","client_id":"client_{client}"}';

/** Adds `check stickiness`. */
export function addStickinessCheck(check: Command, done: (exitCode: number) => void): void {
  const command = check
    .command('stickiness')
    .description('check that clients with cookies stay with their server, over HTTP or WebSockets');
  withSubprotocols(withTarget(command, ['http', 'https', 'ws', 'wss']))
    .option('--clients <number>', 'clients, each with cookies of its own', wholeNumberFrom(1, MAX_CLIENTS), 10)
    .option('--requests <number>', 'requests or WebSockets of each client', wholeNumberFrom(2, MAX_REQUESTS), 10)
    .addOption(timeOption('--interval <time>', 'between two requests of a client', [0, 3_600_000], '0s'))
    .option('--server-header <name>', 'the header that names the server', readHeaderName)
    .option(
      '--server-field <field>',
      `the field of the JSON that names the server, or a JSON pointer; repeatable (default: ${DEFAULT_SERVER_FIELDS.join(', ')})`,
      readField,
    )
    .option('--without-cookies', 'clients forget their cookies: shows how requests are spread without them', false)
    .option(
      '--cookies-from <url>',
      'each client fetches its cookies here first, as a browser does with the page',
      urlFrom(['http', 'https']),
    )
    .option('--send <text>', "the first message over a WebSocket; '' sends none", GREETING)
    .addOption(new Option('--min-stayed <share>', 'clients that must stay').argParser(readShare).default(1, '100%'))
    .option('--min-servers <number>', 'servers that must respond, or it is unknown', wholeNumberFrom(1, 10_000), 2)
    .option('--max-failed <number>', 'requests that may fail', wholeNumberFrom(0, 1_000_000), 0);
  withExits(command).action(async (flags: StickinessFlags) => done(await run(flags)));
}

function readHeaderName(text: string): string {
  if (/^[\w-]+$/.test(text)) return text.toLowerCase();
  throw new InvalidArgumentError(`must be the name of a header, got '${text}'`);
}

function run(flags: StickinessFlags): Promise<number> {
  const { cookiesFrom, withoutCookies, serverHeader, serverField, url } = flags;
  if (cookiesFrom && withoutCookies) return wrongUse("'--cookies-from' must not be given with '--without-cookies'");
  if (cookiesFrom && cookiesFrom.hostname !== url.hostname) {
    return wrongUse(`'--cookies-from' must have the host of '--url' (${url.hostname}), got ${cookiesFrom.hostname}`);
  }
  if (serverHeader !== undefined && serverField) {
    return wrongUse("'--server-field' must not be given with '--server-header', got both");
  }
  const plan: StickinessPlan = {
    clients: flags.clients,
    requests: flags.requests,
    intervalMs: flags.interval,
    naming: {
      ...(serverHeader !== undefined && { header: serverHeader }),
      fields: serverField ?? DEFAULT_SERVER_FIELDS.map((name) => [name]),
    },
    withCookies: !withoutCookies,
    ...(cookiesFrom && { cookiesFrom }),
    ...(flags.send !== '' && { send: flags.send }),
  };
  const { minStayed, minServers, maxFailed } = flags;
  const rules = { ...(!withoutCookies && { minStayed }), minServers, maxFailed };
  return runCheck('stickiness', { url: showUrl(url), json: flags.json }, async ({ signal, progress }) => {
    const figures = await checkStickiness(readTarget(flags), plan, signal, progress);
    const judgement = judgeStickiness(figures, rules, signal.aborted);
    return { figures: { withCookies: plan.withCookies, ...figures }, lines: describe(figures), judgement };
  });
}

function wrongUse(message: string): Promise<number> {
  return runOperator(() => Promise.reject(new WrongUse(message)));
}

const MAX_LINES = 20;

function describe(figures: StickinessFigures): string[] {
  const { clients, requests, failed, unnamed, servers, stayed, changed, unproven, cookies, problems } = figures;
  const table = [
    ['SERVER', 'RESPONSES', 'CLIENTS'],
    ...servers.map((each) => [each.server, each.responses, each.clients]),
  ];
  const left = changed.length - MAX_LINES;
  return [
    ...(servers.length > 0 ? [...formatTable(table), ''] : []),
    `${clients} clients, ${requests} requests, ${failed} failed, ${unnamed} without the name of a server; cookies: ${cookies.join(', ') || 'none'}`,
    `${stayed} clients stayed${clients > 0 ? ` (${formatShare(stayed / clients)})` : ''}, ${changed.length} changed, ${unproven} unproven`,
    ...changed.slice(0, MAX_LINES).map(({ client, servers: names, changes }) => {
      const more = changes >= names.length ? ' → …' : '';
      return `client ${client} changed (${changes}): ${names.join(' → ')}${more}`;
    }),
    ...(left > 0 ? [`and ${left} more clients`] : []),
    ...problems.map(({ problem, count }) => `failed (${count}): ${problem}`),
  ];
}
