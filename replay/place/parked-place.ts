import { closeSync, openSync, writeSync } from 'node:fs';
import type { CapturedRequest } from '../../core/capture/connection-assembly';
import { formatParked } from '../../core/replay/parked-line';

/** What cannot be sent, and why. */
export interface ParkedRequest {
  readonly request: CapturedRequest;
  readonly problem: string;
}

/** Where requests go that cannot be sent. */
export interface ParkedPlace {
  readonly name: string;
  /** It is there before it counts as finished. @throws Error that says why it could not be written */
  park(parked: ParkedRequest): Promise<void>;
  close(): Promise<void>;
}

/** A file of JSON lines, which is made with the first of them. */
export function openParkedFile(path: string): ParkedPlace {
  let file: number | undefined;
  return {
    name: path,
    park: ({ request, problem }) => {
      file ??= openSync(path, 'a', 0o600);
      writeSync(file, formatParked(request, problem));
      return Promise.resolve();
    },
    close: () => Promise.resolve(file === undefined ? undefined : closeSync(file)),
  };
}
