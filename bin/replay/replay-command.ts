import { Command, Option } from 'commander';
import { EXIT_CODES } from '../../core/errors/exit-codes';
import { formatStoreUrl } from '../../core/capture/store-url';
import { KEY_RULE } from '../../core/replay/key';
import { SIDES } from '../../core/traffic/weights';
import { urlFrom, timeOption } from '../check/flags';
import { wholeNumberFrom } from '../shared/numbers';
import { EXIT, WrongUse, runOperator } from '../shared/operator-command';
import {
  ReplayFlags,
  collect,
  headerFrom,
  headerNameFrom,
  headerVariableFrom,
  keyFrom,
  methodsFrom,
  metricsFrom,
  partFrom,
  pathFrom,
  rateFrom,
  signerFrom,
  speedFrom,
  timeFrom,
} from './flags';
import { parkedFrom, placeFrom, statusFrom } from './open-place';
import { storeFrom } from './open-store';
import { runReplay } from './run-replay';

const REPLAY_EXITS = [
  `${EXIT.done} all was sent`,
  `${EXIT.refused} requests are parked, the store is damaged, the target is away, or the comparison says roll back`,
  `${EXIT_CODES.unknown.code} it was stopped before the end, or the comparison is inconclusive`,
  `${EXIT.wrongUse} wrong use`,
];

/** Adds `replay`. */
export function addReplayCommand(cli: Command, done: (exitCode: number) => void): void {
  const command = cli
    .command('replay')
    .description('send captured traffic to a target, in the order that it had')
    .requiredOption(
      '--from <store>',
      'a capture file, a folder of them, s3://BUCKET/PREFIX, or kafka[+tls|+iam|+scram|+plain]://HOST:PORT/TOPIC',
      storeFrom,
    )
    .requiredOption('--to <url>', 'the target; its path stands before each path', urlFrom(['http', 'https']));
  withOrder(command);
  withTransforms(command);
  withRetries(command);
  withOutputs(command);
  command
    .addHelpText('after', `\nExit codes: ${REPLAY_EXITS.join(', ')}.`)
    .action(async (flags: ReplayFlags) => done(await run(flags)));
}

function withOrder(command: Command): void {
  command
    .option('--follow', 'wait for what is still to be captured, until it is stopped', false)
    .addOption(
      new Option(
        '--served-by <side>',
        'send what this backend has served, alone; its proxies say so in the records',
      ).choices(SIDES),
    )
    .option('--speed <factor>', 'how many times as fast as it was recorded; max: as the order allows', speedFrom, 1)
    .option('--rate <number>', 'requests a second at most', rateFrom)
    .option('--key <rule>', `what keeps its order in time: ${KEY_RULE} (default: connection)`, keyFrom)
    .option('--from-time <time>', 'leave out what was recorded before', timeFrom)
    .option('--to-time <time>', 'end at what was recorded after it', timeFrom)
    .option('--methods <list>', 'send these alone, such as POST,PUT,PATCH,DELETE', methodsFrom)
    .option('--connections <number>', 'connections to the target at most', wholeNumberFrom(1, 10_000), 200)
    .addOption(
      timeOption('--window <time>', 'how far apart in the store records of one moment may be', [0, 3_600_000], '10s'),
    );
}

function withTransforms(command: Command): void {
  command
    .option('--host <name>', "the value of Host; 'recorded' for the recorded one; by default that of the target")
    .option('--path <from=to>', 'replace the start of a path; repeatable', pathFrom)
    .option('--set-header <header>', "set this header ('NAME: VALUE'); repeatable", headerFrom)
    .option(
      '--set-header-from <header>',
      'the same, with the value of a variable of the environment (NAME=VARIABLE); repeatable',
      headerVariableFrom,
    )
    .option('--remove-header <name>', 'remove this header; repeatable', headerNameFrom)
    .option(
      '--sigv4 <service/region>',
      'sign each request anew for AWS, with the credentials of the environment',
      signerFrom,
    )
    .option('--transform <file>', 'a module (.mjs) whose default export changes each request; repeatable', collect)
    .option('--insecure', 'do not check certificates', false);
}

function withRetries(command: Command): void {
  command
    .addOption(timeOption('--timeout <time>', 'of each attempt', [1, 3_600_000], '30s'))
    .option('--attempts <number>', 'park a request after so many failures of its own', wholeNumberFrom(1, 100), 8)
    .addOption(
      timeOption('--max-outage <time>', 'stop when the target gives no response for so long', [1, 86_400_000], '300s'),
    )
    .option('--skip-damaged', 'skip records that cannot be read, and count them', false)
    .option(
      '--checkpoint <place>',
      'keep how far it is, in a file or s3://BUCKET/KEY; a further run goes on from there',
      placeFrom,
    )
    .option(
      '--status <place>',
      'with --follow: what it says of itself every second, in a file or s3://BUCKET/KEY (*.json); a cutover reads it',
      statusFrom,
    );
}

function withOutputs(command: Command): void {
  command
    .option(
      '--parked <place>',
      'what could not be sent: a file of JSON lines, or objects below s3://BUCKET/PREFIX/ (default: drainshift-parked.jsonl)',
      parkedFrom,
    )
    .option('--tuples <file>', 'requests and responses of both sides, as a gzip of JSON lines')
    .option('--compare <file>', 'compare the responses, and write what differs: FILE.json or FILE.html')
    .option('--ignore <field>', 'a field that is not compared, such as body.meta.*; repeatable', collect)
    .option(
      '--repeat-on <url>',
      'send some safe requests to the source once more: what differs then is noise',
      urlFrom(['http', 'https']),
    )
    .option('--repeat-share <part>', 'the part of the safe requests that is repeated', partFrom, 0.02)
    .option(
      '--metrics <name>',
      'print a line a minute of which CloudWatch Logs makes metrics, with this name as their Service',
      metricsFrom,
    )
    .option('--json', 'print the summary as JSON', false);
}

function run(flags: ReplayFlags): Promise<number> {
  return runOperator(async (stop) => {
    if (flags.to.username !== '' || flags.to.password !== '' || flags.to.search !== '' || flags.to.hash !== '')
      throw new WrongUse("'--to' must have no user, no query and no fragment, got some");
    if (flags.repeatOn && flags.compare === undefined)
      throw new WrongUse("'--repeat-on' must stand beside '--compare', got it alone");
    if (flags.status && !flags.follow) throw new WrongUse("'--status' must stand beside '--follow', got it alone");
    if ((flags.fromTime ?? 0) > (flags.toTime ?? Infinity))
      throw new WrongUse("'--from-time' must be before '--to-time', got it behind");
    // From here on a stop ends it in order.
    stop.endInOrder();
    return runReplay(flags, formatStoreUrl(flags.from), stop.signal);
  }, 'nothing was sent');
}
