// One side of the rehearsal: replicas of the chat, each a process of its own, at one port.
//
//   node side.js --name target --replicas 2
import cluster from 'node:cluster';
import { once } from 'node:events';
import { parseArgs } from 'node:util';

const { values } = parseArgs({
  options: { name: { type: 'string', default: 'source' }, replicas: { type: 'string', default: '2' } },
});

if (cluster.isPrimary) {
  let port;
  for (let number = 1; number <= Number(values.replicas); number += 1) {
    const replica = cluster.fork({ HOST: '127.0.0.1', PORT: '0', SERVER_NAME: `${values.name}-${number}` });
    replica.once('exit', (code) => process.exit(code ?? 1));
    // The port that the first one was given is that of all of them.
    [{ port }] = await once(replica, 'listening');
  }
  console.log(`the replicas of the ${values.name} listen at ${port}`);
  process.once('SIGTERM', () => process.exit(0));
} else await import('./server.ts');
