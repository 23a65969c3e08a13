import type { UpstreamFilter } from '../moves/tap';
import { Relay } from './relay';

/** What an upstream says that took the place of another one: some of it the client may have had. */
export class FilteredRelay extends Relay {
  filter: UpstreamFilter | undefined = undefined;

  override onData(bytes: Buffer, length: number): void {
    if (this.filter === undefined) return super.onData(bytes, length);
    try {
      const rest = this.filter.read(bytes.subarray(0, length), (frames) => super.onData(frames, frames.length));
      if (rest === undefined) return;
      this.filter = undefined;
      if (rest.length > 0) super.onData(rest, rest.length);
    } catch (error) {
      this.owner.faulted(error);
    }
  }
}
