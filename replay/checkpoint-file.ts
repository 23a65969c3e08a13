import { open, readFile, rename } from 'node:fs/promises';
import type { ReplayPosition } from '../core/replay/position';

const VERSION = 1;

interface Document {
  readonly version: typeof VERSION;
  readonly from: string;
  readonly to: string;
  /** Null where nothing was read. */
  readonly fromMs: number | null;
  readonly finished: ReplayPosition['finished'];
}

/** What the position is of: those of another store or target say nothing. */
export interface ReplayEnds {
  readonly from: string;
  readonly to: string;
}

/** @returns undefined where there is no such file @throws Error that says what is wrong with it */
export async function readCheckpoint(path: string, { from, to }: ReplayEnds): Promise<ReplayPosition | undefined> {
  let text: string;
  try {
    text = await readFile(path, 'utf8');
  } catch (error) {
    const { code = 'unknown' } = error as NodeJS.ErrnoException;
    if (code === 'ENOENT') return undefined;
    throw new Error(`'${path}' must be a readable checkpoint, got ${code}`);
  }
  const document = parse(text);
  if (!document)
    throw new Error(`'${path}' must be a checkpoint of version ${VERSION}, got ${JSON.stringify(text.slice(0, 40))}`);
  if (document.from !== from || document.to !== to)
    throw new Error(
      `'${path}' must be of a replay from '${from}' to '${to}', got one from '${document.from}' to '${document.to}'`,
    );
  return { fromMs: document.fromMs ?? -Infinity, finished: document.finished };
}

function parse(text: string): Document | undefined {
  try {
    const { version, from, to, fromMs, finished } = JSON.parse(text) as Partial<Document>;
    const isNamed = version === VERSION && typeof from === 'string' && typeof to === 'string';
    const isPlaced = (fromMs === null || typeof fromMs === 'number') && Array.isArray(finished);
    return isNamed && isPlaced ? { version, from, to, fromMs, finished } : undefined;
  } catch {
    return undefined;
  }
}

/** Replaces it whole: whenever this process ends, there is one that can be read. */
export async function writeCheckpoint(path: string, { from, to }: ReplayEnds, position: ReplayPosition): Promise<void> {
  const fromMs = Number.isFinite(position.fromMs) ? position.fromMs : null;
  const document: Document = { version: VERSION, from, to, fromMs, finished: position.finished };
  const draft = `${path}.draft`;
  const file = await open(draft, 'w', 0o600);
  try {
    await file.writeFile(JSON.stringify(document));
    await file.datasync();
  } finally {
    await file.close();
  }
  await rename(draft, path);
}
