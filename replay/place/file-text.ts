import { BigIntStats } from 'node:fs';
import { open, rename, rm, stat } from 'node:fs/promises';
import type { TextPlace } from './text-place';

/** A file. Between its comparison and its replacement another process may replace it: a moment, which a file system cannot take away. */
export function openTextFile(path: string): TextPlace {
  return {
    name: path,
    isLocal: true,
    read: async () => {
      const file = await open(path).catch(ifMissing);
      if (!file) return undefined;
      try {
        const version = formatVersion(await file.stat({ bigint: true }));
        return { text: await file.readFile('utf8'), version };
      } finally {
        await file.close();
      }
    },
    write: async (text, over) => {
      const present = await stat(path, { bigint: true }).catch(ifMissing);
      if ((present && formatVersion(present)) !== over) return undefined;
      // Of each process its own: two of them must not write into one.
      const draft = `${path}.${process.pid}.draft`;
      const file = await open(draft, 'w', 0o600);
      try {
        await file.writeFile(text);
        await file.datasync();
        const version = formatVersion(await file.stat({ bigint: true }));
        await rename(draft, path);
        return version;
      } catch (error) {
        await rm(draft, { force: true });
        throw error;
      } finally {
        await file.close();
      }
    },
  };
}

/** Each write makes a new file. */
const formatVersion = ({ ino, mtimeNs }: BigIntStats): string => `${ino}-${mtimeNs}`;

function ifMissing(error: NodeJS.ErrnoException): undefined {
  if (error.code === 'ENOENT') return undefined;
  throw error;
}
