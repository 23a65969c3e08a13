import { FileHandle, mkdir, open, rename, rm } from 'node:fs/promises';
import { dirname, join } from 'node:path';
import { partName } from '../../core/capture/part-name';
import { packPart } from '../contract/part';
import type { CaptureNode, CaptureRecord, CaptureWriter } from '../contract/store';

/** A store in a folder: each call writes one file, which has its name only when it is whole and on the disk. */
export async function openFolderWriter(folder: string, node: CaptureNode): Promise<CaptureWriter> {
  await mkdir(folder, { recursive: true });
  return new FolderWriter(folder, node);
}

class FolderWriter implements CaptureWriter {
  /** Of this process, once it is there. */
  private own: Promise<FileHandle> | undefined;

  constructor(
    private readonly folder: string,
    private readonly node: CaptureNode,
  ) {}

  async append(part: number, records: readonly CaptureRecord[]): Promise<void> {
    const path = join(this.folder, partName(this.node, part));
    const draft = `${path}.draft`;
    try {
      const own = await this.openOwn(dirname(path));
      const file = await open(draft, 'w', 0o600);
      try {
        await file.writeFile(await packPart(records));
        await file.datasync();
      } finally {
        await file.close();
      }
      await rename(draft, path);
      // A new name is on the disk only when its folder is.
      await own.sync();
    } catch (error) {
      // The folder may have been removed.
      await this.close();
      await rm(draft, { force: true }).catch(() => undefined);
      throw error;
    }
  }

  private openOwn(path: string): Promise<FileHandle> {
    this.own ??= this.makeOwn(path);
    return this.own;
  }

  private async makeOwn(path: string): Promise<FileHandle> {
    await mkdir(path, { recursive: true });
    // Of the hour, and of the store.
    for (const above of [dirname(path), this.folder]) {
      const handle = await open(above, 'r');
      await handle.sync().finally(() => handle.close());
    }
    return open(path, 'r');
  }

  async close(): Promise<void> {
    const { own } = this;
    this.own = undefined;
    await own?.then((handle) => handle.close()).catch(() => undefined);
  }
}
