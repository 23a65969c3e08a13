import type { IncomingMessage, ServerResponse } from 'node:http';
import { TransferableState } from '../../app';
import type { StoredLine } from '../writes/write-log';
import type { Store } from './store-state';

/** Under this path the backend that is switched to changes one key that it was given: a difference that a switch must find. */
export const PLANTED_PATH = '/hook/planted-state';

/** What a backend keeps in its own memory, and lets go along in a switch. The log of writes stays outside: it is the rehearsal's. */
export class OwnStore implements Store {
  private readonly counts = new Map<string, number>();
  private readonly lists = new Map<string, string[]>();
  private readonly values = new Map<string, string>();
  private readonly state: TransferableState;
  private readonly plants: boolean;

  /**
   * @param path of its calls
   * @param logs where the log of writes is
   */
  constructor(
    path: string,
    private readonly logs: Pick<Store, 'log' | 'readLog'>,
  ) {
    const { counts, lists, values } = this;
    this.state = new TransferableState({ path, maps: { counts, lists, values } });
    this.plants = path === PLANTED_PATH;
  }

  get isFrozen(): boolean {
    return this.state.isFrozen;
  }

  /** @returns whether it has responded */
  handle(request: IncomingMessage, response: ServerResponse): boolean {
    if (this.plants && request.method === 'POST' && request.url?.includes('/import?') && request.url.includes('since='))
      request.once('end', () => setImmediate(() => this.plant()));
    return this.state.handle(request, response);
  }

  increment(key: string): Promise<number> {
    const count = (this.counts.get(key) ?? 0) + 1;
    this.counts.set(key, count);
    return Promise.resolve(count);
  }

  append(key: string, value: string): Promise<string[]> {
    const list = [...(this.lists.get(key) ?? []), value];
    this.lists.set(key, list);
    return Promise.resolve(list);
  }

  list(key: string): Promise<string[]> {
    return Promise.resolve(this.lists.get(key) ?? []);
  }

  setOnce(key: string, value: string): Promise<string> {
    if (!this.values.has(key)) this.values.set(key, value);
    return Promise.resolve(this.values.get(key) ?? value);
  }

  get(key: string): Promise<string | null> {
    return Promise.resolve(this.values.get(key) ?? null);
  }

  log(key: string, line: string): Promise<number> {
    return this.logs.log(key, line);
  }

  readLog(key: string): Promise<StoredLine[]> {
    return this.logs.readLog(key);
  }

  private plant(): void {
    const [key] = this.values.keys();
    if (key !== undefined) this.values.set(key, 'planted');
  }
}
