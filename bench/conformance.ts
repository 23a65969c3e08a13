// `npm run conformance`: what others wrote judges our proxy, beside nginx and HAProxy where they are installed.
import { parseArgs } from 'node:util';
import { PEERS } from './conformance/peers.ts';
import { isLower, table, type Figure, type Suite } from './conformance/figures.ts';
import { autobahnClient, autobahnServer } from './conformance/suites/autobahn.ts';
import { grpcInterop } from './conformance/suites/grpc.ts';
import { h2spec } from './conformance/suites/h2spec.ts';
import { ownProbes } from './conformance/suites/probes.ts';
import { withWorkplace } from './processes/workplace.ts';

const USAGE = `Usage: npm run conformance -- [--suites NAMES] [--peers NAMES] [--quick] [--failures]

  --suites NAMES   of ${'h2spec, grpc-interop, autobahn-client, autobahn-server, guarantees'} (default all)
  --peers NAMES    of drainshift, nginx, haproxy (default all that are installed)
  --quick          without Autobahn's cases of size and compression, which take most of the time
  --failures       each case that did not pass, not of drainshift alone
`;

const SUITES: readonly Suite[] = [h2spec, grpcInterop, autobahnClient, autobahnServer, ownProbes];
const WRONG_USE = 64;

/** @returns the exit code: 1 when a figure of ours is lower than it was, or a suite could not be run */
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
    return 0;
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
  return ours.some((figure) => isLower(figure) || figure.missing !== undefined) ? 1 : 0;
}

function chosen<T extends { readonly name: string }>(what: string, all: readonly T[], names: string | undefined): T[] {
  if (names === undefined) return [...all];
  return names.split(',').map((name) => {
    const found = all.find((one) => one.name === name);
    if (!found) throw new WrongUse(`'--${what}' must be of ${all.map((one) => one.name).join(', ')}, got '${name}'`);
    return found;
  });
}

class WrongUse extends Error {}

try {
  process.exitCode = await main();
} catch (error) {
  process.stderr.write(`${error instanceof WrongUse ? error.message : String((error as Error).stack)}\n`);
  process.exitCode = error instanceof WrongUse ? WRONG_USE : 1;
}
