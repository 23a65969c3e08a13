/** What an application adds to take part in a switch: see docs/state.md. */
export { FrozenError, MapLike } from './maps';
export { TransferableState, TransferableStateOptions } from './transferable-state';
