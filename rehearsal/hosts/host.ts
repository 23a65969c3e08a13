import { spawnSync } from 'node:child_process';
import { rmSync, rmdirSync } from 'node:fs';
import { join } from 'node:path';
import { Server, Socket, connect } from 'node:net';
import { announceReady, entryOptions } from '../processes/entry';
import { sendSignal } from '../processes/signal';
import { APPLICATION_PORT, HostOptions, RELAY_ADDRESSES, readPid } from './host-options';

// Entry: the network of one host, in which its application has its loopback addresses for itself, and the way into it: a listener of the
// network outside, which is handed in. Applications that are restored have the port that they had.

const { side, pidFile, folder } = entryOptions<HostOptions>();
/** By its address an application that came from elsewhere sees where it runs now. */
const localAddress = RELAY_ADDRESSES[side];
const sockets = new Set<Socket>();

raiseLoopback();
process.on('message', (message, handle) => {
  if (message !== 'listener') return;
  const server = handle as Server;
  server.on('connection', relay);
  server.on('error', () => undefined);
  process.send?.({ isListening: true });
});
process.once('SIGTERM', () => process.exit(0));
// Also where the rehearsal was killed: the application is none of its children.
process.on('exit', () => {
  sendSignal(readPid(pidFile), 'SIGKILL');
  for (const path of [pidFile, `${pidFile}.checkpoint`, join(folder, 'images')]) {
    rmSync(path, { recursive: true, force: true });
  }
  try {
    rmdirSync(folder);
  } catch {
    // The other host is there still, and has its process in it.
  }
});
announceReady({});

function relay(client: Socket): void {
  const upstream = connect({ host: '127.0.0.1', port: APPLICATION_PORT, localAddress });
  for (const [from, to] of [
    [client, upstream],
    [upstream, client],
  ] as const) {
    sockets.add(from);
    from.setNoDelay(true);
    from.pipe(to);
    from.on('error', () => to.destroy());
    from.on('close', () => {
      sockets.delete(from);
      to.destroySoon();
    });
  }
}

/** A network of its own begins with its loopback interface down. ioctl(2) SIOCSIFFLAGS, IFF_UP and IFF_RUNNING. */
function raiseLoopback(): void {
  const script =
    'use Socket; socket(my $s, AF_INET, SOCK_DGRAM, 0) or die "$!\\n"; my $request = pack("a16 s x22", "lo", 0x41); ioctl($s, 0x8914, $request) or die "$!\\n";';
  const { status, stderr } = spawnSync('perl', ['-e', script], { encoding: 'utf8' });
  if (status !== 0) throw new Error(`the loopback interface must come up, got ${stderr.trim()}`);
}
