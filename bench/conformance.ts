// `npm run conformance`: what others wrote judges our proxy, beside nginx and HAProxy where they are installed.
import { parseArgs } from 'node:util';
import { EXIT_CODES } from '../core/errors/exit-codes';
import { UsageError } from '../rehearsal/errors/usage-error';
import { runMain } from './cli/main';
import { PEERS } from './conformance/peers';
import { isLower, table, type Figure, type Suite } from './conformance/figures';
import { autobahnClient, autobahnServer } from './conformance/suites/autobahn';
import { grpcInterop } from './conformance/suites/grpc';
import { h2spec } from './conformance/suites/h2spec';
import { ownProbes } from './conformance/suites/probes';
import { withWorkplace } from './processes/workplace';

const USAGE = `Usage: npm run conformance -- [--suites NAMES] [--peers NAMES] [--quick] [--failures]

  --suites NAMES   of ${'h2spec, grpc-interop, autobahn-client, autobahn-server, guarantees'} (default all)
  --peers NAMES    of drainshift, nginx, haproxy (default all that are installed)
  --quick          without Autobahn's cases of size and compression, which take most of the time
  --failures       each case that did not pass, not of drainshift alone
`;

const SUITES: readonly Suite[] = [h2spec, grpcInterop, autobahnClient, autobahnServer, ownProbes];

/** @returns the exit code: `failed` when a figure of ours is lower than it was, or a suite could not be run */
async function main(): Promise<number> {
  const { values } = parseArgs({
    options: {
      suites: { type: 'string' },
      peers: { type: 'string' },
      quick: { type: 'boolean', default: false },
      failures: { type: 'boolean', default: false },
      help: { type: 'boolean', default: false },
    },
  });
  if (values.help) {
    process.stdout.write(USAGE);
    return EXIT_CODES.done.code;
  }
  const suites = chosen('suites', SUITES, values.suites);
  const peers = chosen('peers', PEERS, values.peers);
  const figures: Figure[] = [];
  await withWorkplace(async (place) => {
    for (const suite of suites) {
      process.stderr.write(`${suite.name} …\n`);
      figures.push(...(await suite.run(place, peers, { isQuick: values.quick })));
    }
  });
  process.stdout.write(`${table(figures, { hasAllFailures: values.failures })}\n`);
  const ours = figures.filter(({ peer }) => peer === 'drainshift');
  return ours.some((figure) => isLower(figure) || figure.missing !== undefined)
    ? EXIT_CODES.failed.code
    : EXIT_CODES.done.code;
}

function chosen<T extends { readonly name: string }>(what: string, all: readonly T[], names: string | undefined): T[] {
  if (names === undefined) return [...all];
  return names.split(',').map((name) => {
    const found = all.find((one) => one.name === name);
    if (!found) throw new UsageError(`'--${what}' must be of ${all.map((one) => one.name).join(', ')}, got '${name}'`);
    return found;
  });
}

void runMain(main);
