import { LimitSettings, completeLimits } from '../../../core/proxy/settings/setting-names';
import type { Limits } from './data-plane';

/**
 * The limits of a plane whose clients are trusted, as those of a rehearsal and of a test are: it asks of none for a pace, and
 * takes as many as come.
 */
export function trustingLimits(given: Partial<Limits> = {}): Limits {
  return { ...completeLimits(TRUST), openFiles: Infinity, upgradeProtocols: [], ...given };
}

const TRUST: Partial<LimitSettings> = {
  clientConnections: Infinity,
  upstreamConnections: Infinity,
  memoryBytes: Infinity,
  headBytesPerSecond: 0,
  uploadBytesPerSecond: 0,
  readBytesPerSecond: 0,
};
