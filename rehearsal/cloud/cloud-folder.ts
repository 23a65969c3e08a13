import { WriteStream, createWriteStream } from 'node:fs';
import { mkdtemp, rename, rm, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { finished } from 'node:stream/promises';
import { ProcessHooks, Reaper } from '../processes/processes';

/** A log may hold what requests and tasks hold; it outlives its folder, which is closed to others. */
const OWNER_ONLY = 0o600;

/** The folder of one local cloud: the authority of its certificate, and a log of all that it does. */
export class CloudFolder {
  private readonly log: WriteStream;

  private constructor(
    private readonly path: string,
    private readonly reaper: Reaper,
  ) {
    // A log that cannot be written, on a full disk, is no reason to stop.
    this.log = createWriteStream(this.logFile, { mode: OWNER_ONLY }).on('error', () => undefined);
  }

  /** @param authority PEM */
  static async create(authority: string): Promise<CloudFolder> {
    const path = await mkdtemp(join(tmpdir(), 'drainshift-'));
    const folder = new CloudFolder(path, new Reaper(path));
    try {
      await writeFile(folder.caFile, authority);
      return folder;
    } catch (error) {
      await folder.remove(false);
      throw error;
    }
  }

  get caFile(): string {
    return join(this.path, 'ca.pem');
  }

  get logFile(): string {
    return join(this.path, 'cloud.log');
  }

  /** Where the log is once the folder is gone, when it is kept. */
  get keptLogFile(): string {
    return `${this.path}.log`;
  }

  /** For processes of the local cloud: they end with it, and write to its log. */
  get processes(): ProcessHooks {
    return { started: this.reaper.started, ended: this.reaper.ended, log: this.log };
  }

  note(entry: object): void {
    this.log.write(`${JSON.stringify(entry)}\n`);
  }

  /** Once its processes have ended. */
  async remove(keepsLog: boolean): Promise<void> {
    await finished(this.log.end()).catch(() => undefined);
    if (keepsLog) await rename(this.logFile, this.keptLogFile).catch(() => undefined);
    await this.reaper.dismiss();
    await rm(this.path, { recursive: true, force: true });
  }
}
