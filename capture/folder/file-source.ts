import { createReadStream } from 'node:fs';
import { readdir, stat } from 'node:fs/promises';
import { join, sep } from 'node:path';
import { PART_SUFFIX, placePart } from '../../core/capture/part-name';
import type { Part, PartSource } from '../contract/part-source';

/** A file, or a folder with all that is in it. @throws Error that says that there is none */
export async function openFileSource(path: string): Promise<PartSource> {
  const { isFolder } = await look(path);
  if (isFolder) return { grows: true, list: () => listFolder(path) };
  return { grows: false, list: async () => [await describeFile(path, path)] };
}

async function look(
  path: string,
): Promise<{ readonly isFolder: boolean; readonly writtenMs: number; readonly bytes: number }> {
  try {
    const found = await stat(path);
    return { isFolder: found.isDirectory(), writtenMs: found.mtimeMs, bytes: found.size };
  } catch (error) {
    const { code = 'unknown' } = error as NodeJS.ErrnoException;
    throw new Error(`'${path}' must be a capture file or a folder of them that can be read, got ${code}`);
  }
}

async function listFolder(folder: string): Promise<readonly Part[]> {
  const names = await readdir(folder, { recursive: true });
  const parts = names
    .filter((name) => name.endsWith(PART_SUFFIX))
    .map((name) => name.replaceAll(sep, '/'))
    .sort((a, b) => (a < b ? -1 : 1));
  return Promise.all(parts.map((name) => describeFile(join(folder, name), name)));
}

async function describeFile(path: string, name: string): Promise<Part> {
  const { writtenMs, bytes } = await look(path);
  return {
    name: path,
    ...placePart(name),
    writtenMs,
    bytes,
    open: () => Promise.resolve(createReadStream(path, { highWaterMark: 262_144 })),
  };
}
