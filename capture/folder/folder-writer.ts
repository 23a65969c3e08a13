import { mkdir, open, rename, rm } from 'node:fs/promises';
import { join } from 'node:path';
import { partName } from '../../core/capture/part-name';
import { packPart } from '../contract/part';
import type { CaptureNode, CaptureRecord, CaptureWriter } from '../contract/store';

/** A store in a folder: each call writes one file, which has its name only when it is whole and on the disk. */
export async function openFolderWriter(folder: string, node: CaptureNode): Promise<CaptureWriter> {
  await mkdir(folder, { recursive: true });
  return {
    append: (part, records) => writePart(folder, partName(node, part), records),
    close: () => Promise.resolve(),
  };
}

async function writePart(folder: string, name: string, records: readonly CaptureRecord[]): Promise<void> {
  const path = join(folder, name);
  const draft = `${path}.draft`;
  await mkdir(join(path, '..'), { recursive: true });
  try {
    const file = await open(draft, 'w', 0o600);
    try {
      await file.writeFile(await packPart(records));
      await file.datasync();
    } finally {
      await file.close();
    }
    await rename(draft, path);
    await syncFolder(join(path, '..'));
  } catch (error) {
    await rm(draft, { force: true }).catch(() => undefined);
    throw error;
  }
}

/** A new name is on the disk only when its folder is. */
async function syncFolder(folder: string): Promise<void> {
  const handle = await open(folder, 'r');
  try {
    await handle.sync();
  } finally {
    await handle.close();
  }
}
