import { type Figure, missingFor, type Suite } from '../figures';
import { type Peer, startPeer } from '../peers';
import { runJudge } from '../run';
import { grpcTool } from '../tools';
import { freePort, listening } from '../../processes/ports';
import type { Workplace } from '../../processes/workplace';

const SUITE = 'grpc-interop';

/** Of gRPC's interoperability tests those that need no credentials and no server of Google. */
const CASES = [
  'empty_unary',
  'large_unary',
  'client_streaming',
  'server_streaming',
  'ping_pong',
  'empty_stream',
  'timeout_on_sleeping_server',
  'cancel_after_begin',
  'cancel_after_first_response',
  'status_code_and_message',
  'special_status_message',
  'custom_metadata',
  'unimplemented_method',
  'unimplemented_service',
] as const;

/** grpc-go's client, through the proxy, to grpc-go's server. */
export const grpcInterop: Suite = {
  name: SUITE,
  run: async (place, peers) => {
    const [client, server] = [grpcTool('client'), grpcTool('server')];
    if ('missing' in client) return missingFor(SUITE, peers, client.missing);
    if ('missing' in server) return missingFor(SUITE, peers, server.missing);
    const port = await freePort();
    const backend = place.children.start({ command: server.path, args: [`--port=${port}`] }, { name: 'grpc-server' });
    await listening(port, backend);
    const figures: Figure[] = [];
    for (const peer of peers) figures.push(await judge(place, peer, client.path, port));
    await backend.kill();
    return figures;
  },
};

async function judge(place: Workplace, peer: Peer, client: string, upstreamPort: number): Promise<Figure> {
  const absent = peer.missing();
  if (absent !== undefined) return { suite: SUITE, peer: peer.name, missing: absent, failures: [] };
  const { port, stop } = await startPeer(place, peer, 'grpc', upstreamPort);
  const failures: string[] = [];
  for (const name of CASES) {
    const args = ['--server_host=127.0.0.1', `--server_port=${port}`, `--test_case=${name}`];
    const { code } = await runJudge(place, name, { command: client, args });
    if (code !== 0) failures.push(name);
  }
  await stop();
  return { suite: SUITE, peer: peer.name, passed: CASES.length - failures.length, of: CASES.length, failures };
}
