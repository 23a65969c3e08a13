import { readdirSync, readFileSync, readlinkSync } from 'node:fs';

/** Clock ticks of a second in /proc; 100 on every Linux that Node runs on. */
const TICKS = 100;

/** A process and all that it started, as far as they live. */
export function listProcessTree(root: number): number[] {
  const children = new Map<number, number[]>();
  for (const name of readdirSync('/proc')) {
    const pid = Number(name);
    const parent = Number.isInteger(pid) ? statFields(pid)?.[1] : undefined;
    if (parent !== undefined) children.set(Number(parent), [...(children.get(Number(parent)) ?? []), pid]);
  }
  const tree = [root];
  for (const pid of tree) tree.push(...(children.get(pid) ?? []));
  return tree;
}

/** User and system time of these processes so far, all their threads, in seconds. */
export function cpuSeconds(pids: readonly number[]): number {
  let ticks = 0;
  for (const pid of pids) {
    const fields = statFields(pid);
    ticks += Number(fields?.[11] ?? 0) + Number(fields?.[12] ?? 0);
  }
  return ticks / TICKS;
}

/** Resident memory of these processes in bytes. */
export function residentBytes(pids: readonly number[]): number {
  let kilobytes = 0;
  for (const pid of pids) kilobytes += Number(/^Rss:\s+(\d+)/m.exec(read(`/proc/${pid}/smaps_rollup`))?.[1] ?? 0);
  return kilobytes * 1024;
}

/** Open file descriptors of these processes: sockets that were forgotten show here. */
export function openFiles(pids: readonly number[]): number {
  let open = 0;
  for (const pid of pids) {
    try {
      open += readdirSync(`/proc/${pid}/fd`).length;
    } catch {
      // It has just ended.
    }
  }
  return open;
}

/** What these processes have open, by kind and number: TCP connections by their ports and state. For a message. */
export function describeFiles(pids: readonly number[]): string {
  const connections = tcpConnections();
  const kinds = new Map<string, number>();
  for (const link of pids.flatMap(fileLinks)) {
    const inode = /^socket:\[(\d+)\]$/.exec(link)?.[1];
    const kind = (inode && connections.get(inode)) ?? link.replace(/\[?\d+\]?$/, '');
    kinds.set(kind, (kinds.get(kind) ?? 0) + 1);
  }
  return [...kinds].map(([kind, count]) => `${count} × ${kind}`).join(', ');
}

function fileLinks(pid: number): string[] {
  return readdirSync(`/proc/${pid}/fd`).flatMap((fd) => {
    try {
      return [readlinkSync(`/proc/${pid}/fd/${fd}`)];
    } catch {
      return [];
    }
  });
}

/** By inode: the local port, the other's, and the state as the kernel numbers it (01 established, 08 close-wait). */
function tcpConnections(): Map<string, string> {
  const lines = read('/proc/net/tcp').split('\n').slice(1);
  const port = (address = '') => parseInt(address.slice(-4), 16);
  return new Map(
    lines.map((line) => {
      const [, local, remote, state, , , , , , inode = ''] = line.trim().split(/\s+/);
      return [inode, `TCP :${port(local)} to :${port(remote)} in state ${state}`];
    }),
  );
}

/** Seconds that a core was busy with anything, since the start of the machine. */
export function coreBusySeconds(core: number): number {
  const line = new RegExp(`^cpu${core} (.*)$`, 'm').exec(read('/proc/stat'))?.[1];
  if (line === undefined) return 0;
  const [user = 0, nice = 0, system = 0, , , irq = 0, softIrq = 0, steal = 0] = line.split(' ').map(Number);
  return (user + nice + system + irq + softIrq + steal) / TICKS;
}

/** The fields of `/proc/PID/stat` behind the name (which may hold spaces): state, parent, … */
function statFields(pid: number): string[] | undefined {
  const text = read(`/proc/${pid}/stat`);
  return text === '' ? undefined : text.slice(text.lastIndexOf(')') + 2).split(' ');
}

function read(path: string): string {
  try {
    return readFileSync(path, 'utf8');
  } catch {
    return '';
  }
}
