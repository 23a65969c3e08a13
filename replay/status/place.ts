import { readFile, rename, writeFile } from 'node:fs/promises';
import { orderPlace } from '../../core/replay/replay-status';

/** Where a replay writes its status, and reads what it is ordered to do. */
export interface StatusPlace {
  readonly name: string;
  /** Undefined where there is none. */
  read(): Promise<string | undefined>;
  /** Replaces it whole. */
  write(text: string): Promise<void>;
  /** Undefined where there is no order. */
  readOrder(): Promise<string | undefined>;
}

/** A file, with the order in another one beside it. */
export function openStatusFile(path: string): StatusPlace {
  return {
    name: path,
    write: async (text) => {
      const draft = `${path}.draft`;
      await writeFile(draft, text, { mode: 0o600 });
      await rename(draft, path);
    },
    read: () => readIfThere(path),
    readOrder: () => readIfThere(orderPlace(path)),
  };
}

async function readIfThere(path: string): Promise<string | undefined> {
  try {
    return await readFile(path, 'utf8');
  } catch (error) {
    if ((error as NodeJS.ErrnoException).code === 'ENOENT') return undefined;
    throw error;
  }
}
