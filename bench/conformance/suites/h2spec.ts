import { startHttpUpstream } from '../upstream';
import { type Figure, missingFor, type Suite } from '../figures';
import { type Peer, startPeer } from '../peers';
import { runJudge } from '../run';
import { h2specTool } from '../tools';
import type { Workplace } from '../../processes/workplace';

const SUITE = 'h2spec';
const SECONDS = '2';

/** RFC 9113 and 7541 as h2spec reads RFC 7540 and 7541, its strict cases among them. */
export const h2spec: Suite = {
  name: SUITE,
  run: async (place, peers) => {
    const tool = h2specTool();
    if ('missing' in tool) return missingFor(SUITE, peers, tool.missing);
    const upstream = await startHttpUpstream();
    try {
      const figures: Figure[] = [];
      for (const peer of peers) figures.push(await judge(place, peer, tool.path, upstream.port));
      return figures;
    } finally {
      upstream.stop();
    }
  },
};

async function judge(place: Workplace, peer: Peer, path: string, upstreamPort: number): Promise<Figure> {
  const absent = peer.missing();
  if (absent !== undefined) return { suite: SUITE, peer: peer.name, missing: absent, failures: [] };
  const { port, stop } = await startPeer(place, peer, 'http2', upstreamPort);
  const args = ['--strict', '--host', '127.0.0.1', '--port', String(port), '--timeout', SECONDS];
  const { said } = await runJudge(place, SUITE, { command: path, args });
  await stop();
  const [, of, passed] = /^(\d+) tests, (\d+) passed/m.exec(said) ?? [];
  if (of === undefined)
    return { suite: SUITE, peer: peer.name, missing: `it said no result: ${said.slice(-200)}`, failures: [] };
  // Each is told where it fails, and once more at the end.
  const failures = new Set([...said.matchAll(/×\s+(\d+: .+)$/gm)].map(([, text = '']) => text.trim()));
  return { suite: SUITE, peer: peer.name, passed: Number(passed), of: Number(of), failures: [...failures] };
}
