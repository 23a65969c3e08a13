import { hash } from 'node:crypto';

/**
 * A `Map` of text keys, or what is like one. Its values are what JSON can say.
 *
 * @example
 * const rows = new Map<string, unknown>();
 * const sessions: MapLike = {
 *   get: (key) => rows.get(key),
 *   set: (key, value) => rows.set(key, value),
 *   delete: (key) => rows.delete(key),
 *   keys: () => rows.keys(),
 * };
 * const state = new TransferableState({ path: '/internal/state', maps: { sessions } });
 */
export interface MapLike {
  get(key: string): unknown;
  set(key: string, value: unknown): unknown;
  delete(key: string): unknown;
  keys(): Iterable<string>;
}

/** The maps of an application by name. The names must be the same on both sides. */
export type Maps = Readonly<Record<string, MapLike>>;

/** One entry of a map: a line of an export. Without a value it is deleted. */
export type Line = readonly [map: string, key: string, value?: unknown];

/** @throws TypeError with the key, where its value is not what JSON can say: it would arrive as another one */
export function formatLine(maps: Maps, map: string, key: string): string | undefined {
  const value = maps[map]!.get(key);
  if (value === undefined) return undefined;
  checkJson(value, `the value of '${key}' in '${map}'`);
  return `${JSON.stringify([map, key, value])}\n`;
}

/** Of a line, which has the names of the map and the key in it. */
export function hashLine(line: string): string {
  return hash('sha256', line, 'base64');
}

/** `sessions/17`: the key of an entry among those of all maps. */
export function formatKey(map: string, key: string): string {
  return `${map}/${key}`;
}

function checkJson(value: unknown, name: string): void {
  if (value === null || typeof value === 'string' || typeof value === 'boolean') return;
  if (typeof value === 'number' && Number.isFinite(value) && !Object.is(value, -0)) return;
  if (Array.isArray(value)) return value.forEach((item) => checkJson(item, name));
  if (typeof value !== 'object' || !isPlain(value)) {
    const shown = typeof value === 'object' ? value.constructor.name : typeof value === 'number' ? value : typeof value;
    throw new TypeError(`${name} must be what JSON can say, got ${shown}`);
  }
  for (const item of Object.values(value)) checkJson(item, name);
}

function isPlain(value: object): boolean {
  const prototype: unknown = Object.getPrototypeOf(value);
  return prototype === Object.prototype || prototype === null;
}

/**
 * A write to a map whose state is being moved.
 *
 * @example
 * const carts = new Map<string, string[]>();
 * try {
 *   carts.set('1', ['bread']);
 * } catch (error) {
 *   if (!(error instanceof FrozenError)) throw error;
 *   console.log(error.statusCode); // 503: the client tries again
 * }
 */
export class FrozenError extends Error {
  /** For frameworks that respond with the status of an error. */
  readonly statusCode = 503;
  override readonly name = 'FrozenError';

  constructor(map: string) {
    super(`'${map}' must not be written while its state is moved to another backend`);
  }
}

/**
 * Has the writes of a map throw while it is frozen: also those of a timer, or of a request that had begun before.
 *
 * @returns the map for what comes with an import
 */
export function guard(name: string, map: MapLike, isFrozen: () => boolean): MapLike {
  const own = map as MapLike & { clear?(): void };
  const set = own.set.bind(own);
  const remove = own.delete.bind(own);
  const clear = own.clear?.bind(own);
  // A map may call its own writes: a cache that notes what was read last, or makes room. Of what is done here they pass.
  let isOurs = false;
  const ours = <T>(act: () => T): T => {
    isOurs = true;
    try {
      return act();
    } finally {
      isOurs = false;
    }
  };
  const check = () => {
    if (isFrozen() && !isOurs) throw new FrozenError(name);
  };
  const guarded = {
    set: (key: string, value: unknown) => (check(), set(key, value)),
    delete: (key: string) => (check(), remove(key)),
    ...(clear && { clear: () => (check(), clear()) }),
  };
  for (const [write, value] of Object.entries(guarded)) {
    Object.defineProperty(map, write, { value, configurable: true, writable: true });
  }
  return {
    get: (key) => ours(() => own.get(key)),
    keys: () => own.keys(),
    set: (key, value) => ours(() => set(key, value)),
    delete: (key) => ours(() => remove(key)),
  };
}
