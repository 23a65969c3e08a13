import { appendFileSync, closeSync, openSync } from 'node:fs';
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

/** A request that is neither sent nor parked: the replay must not go on. */
export function describeUnparked(place: string, { id }: CapturedRequest, { name, message }: Error): Error {
  return new Error(`'${place}' must be writable, got ${name}: ${message}; '${id}' is not parked`);
}

/** A file of JSON lines, which is made with the first of them. */
export function openParkedFile(path: string): ParkedPlace {
  let file: number | undefined;
  return {
    name: path,
    park: ({ request, problem }) => {
      try {
        file ??= openSync(path, 'a', 0o600);
        appendFileSync(file, formatParked(request, problem));
        return Promise.resolve();
      } catch (error) {
        return Promise.reject(describeUnparked(path, request, error as Error));
      }
    },
    close: () => Promise.resolve(file === undefined ? undefined : closeSync(file)),
  };
}
