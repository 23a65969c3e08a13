/**
 * Loopback addresses for tasks, 127.0.x.y: Linux responds on all of 127.0.0.0/8, so every task has all ports to itself. The
 * third number comes from the process id, so that two rehearsals on one machine keep apart.
 */
export class Addresses {
  private next = 0;
  private readonly block: number;

  constructor(pid: number) {
    // 127.0.0.x and 127.0.1.x are where machines put their own names.
    this.block = 2 + (pid % 250);
  }

  take(): string {
    this.next += 1;
    const offset = this.next;
    return `127.0.${2 + ((this.block - 2 + Math.floor(offset / 250)) % 250)}.${1 + (offset % 250)}`;
  }
}
