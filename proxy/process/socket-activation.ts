/** Where systemd puts the first socket: behind the standard descriptors. */
const FIRST_FD = 3;

/** Sockets that systemd has taken for this process. */
export interface ActivatedSockets {
  readonly data: number;
  readonly admin: number | undefined;
}

/**
 * The sockets of a unit with a `.socket` beside it: by their names `data` and `admin` (`FileDescriptorName=`), else the first one
 * is the data port, and the second the admin port.
 *
 * @returns undefined where there are none, or they are for another process
 * @see https://www.freedesktop.org/software/systemd/man/latest/sd_listen_fds.html
 */
export function findActivatedSockets(environment: NodeJS.ProcessEnv, pid: number): ActivatedSockets | undefined {
  const { LISTEN_PID: listenPid, LISTEN_FDS: listenFds = '', LISTEN_FDNAMES: fdNames = '' } = environment;
  const count = /^[1-9][0-9]{0,3}$/.test(listenFds) ? Number(listenFds) : 0;
  if (listenPid !== String(pid) || count === 0) return undefined;
  const names = fdNames.split(':').slice(0, count);
  const isNamed = names.includes('data');
  const find = (name: string, index: number) => {
    const at = isNamed ? names.indexOf(name) : index;
    return at >= 0 && at < count ? FIRST_FD + at : undefined;
  };
  return { data: find('data', 0)!, admin: find('admin', 1) };
}
