import { readFileSync } from 'node:fs';
import { connect } from 'node:net';
import { join } from 'node:path';
import type { Figure, Suite } from '../figures';
import { type Peer, startPeer } from '../peers';
import { startHttpUpstream } from '../upstream';
import { PROBES, type Probe } from '../probes';
import { HOST } from '../../processes/ports';
import { ROOT } from '../../processes/resolve';
import type { Workplace } from '../../processes/workplace';

const SUITE = 'guarantees';
/** A proxy that waits for more has not rejected. */
const SILENCE_MS = 2_500;

/** Own cases for each row of docs/guarantees.md, in the way of Http11Probe: what is to be rejected is, with its status. */
export const ownProbes: Suite = {
  name: SUITE,
  run: async (place, peers) => {
    const unproven = rowsWithoutProbe();
    if (unproven.length > 0)
      throw new Error(`each row of docs/guarantees.md must have a probe, got none for: ${unproven.join('; ')}`);
    const upstream = await startHttpUpstream();
    try {
      const figures: Figure[] = [];
      for (const peer of peers) figures.push(await judge(place, peer, upstream.port));
      return figures;
    } finally {
      upstream.stop();
    }
  },
};

/** The rows of "What it rejects" that no probe names. */
export function rowsWithoutProbe(): string[] {
  const text = readFileSync(join(ROOT, 'docs/guarantees.md'), 'utf8');
  const [, section = ''] = text.split(/^\| the request \| status \| RFC \|$/m);
  const rows = section
    .split('\n\n')[0]!
    .split('\n')
    .filter((line) => /^\| [^-]/.test(line));
  if (rows.length === 0) throw new Error('docs/guarantees.md must have a table of what is rejected, got none');
  return rows.filter((row) => !PROBES.some(({ of }) => row.includes(of))).map((row) => row.slice(2, 60));
}

async function judge(place: Workplace, peer: Peer, upstreamPort: number): Promise<Figure> {
  const absent = peer.missing();
  if (absent !== undefined) return { suite: SUITE, peer: peer.name, missing: absent, failures: [] };
  const { port, stop } = await startPeer(place, peer, 'http1', upstreamPort);
  const results = await Promise.all(PROBES.map(async (probe) => ({ probe, got: await ask(port, probe) })));
  await stop();
  const failures = results
    .filter(({ probe, got }) => got !== probe.status)
    .map(({ probe, got }) => `${probe.name} must be ${probe.status}, got ${got ?? 'no status'}`);
  return { suite: SUITE, peer: peer.name, passed: PROBES.length - failures.length, of: PROBES.length, failures };
}

/** The status of the last response: rejected is what follows the part that may be served. */
function ask(port: number, { bytes }: Probe): Promise<number | undefined> {
  return new Promise((resolve) => {
    const socket = connect(port, HOST, () => socket.write(bytes, 'latin1'));
    let text = '';
    const done = () => {
      clearTimeout(timer);
      socket.destroy();
      const statuses = [...text.matchAll(/^HTTP\/1\.[01] (\d{3})/gm)].map(([, status]) => Number(status));
      resolve(statuses.findLast((status) => status >= 200));
    };
    const timer = setTimeout(done, SILENCE_MS);
    socket.on('data', (chunk) => {
      text += chunk.toString('latin1');
      if (/^HTTP\/1\.[01] [2-5]\d\d/m.test(text)) done();
    });
    socket.on('error', () => undefined);
    socket.on('close', done);
  });
}
