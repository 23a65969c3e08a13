import type { IncomingMessage, ServerResponse } from 'node:http';
import { TransferableState } from '../../app';
import type { StoredLine } from '../writes/write-log';
import type { Store } from './store-state';

/** Under this path the backend that is switched to changes one key that it was given: a difference that a switch must find. */
const PLANTED_PATH = '/hook/planted-state';
/** Under this one a freeze takes 0.7 s; a switch goes wrong in it. */
const SLOW_PATH = '/hook/slow-state';
const SLOW_MS = 700;

/** What a backend keeps in its own memory, and that goes along in a switch. The log of writes stays outside: it is the rehearsal's. */
export class OwnStore implements Store {
  private readonly counts = new Map<string, number>();
  private readonly lists = new Map<string, string[]>();
  private readonly values = new Map<string, string>();
  private readonly state: TransferableState;

  /**
   * @param path of its calls
   * @param logs where the log of writes is
   */
  constructor(
    private readonly path: string,
    private readonly logs: Pick<Store, 'log' | 'readLog'>,
  ) {
    const { counts, lists, values } = this;
    this.state = new TransferableState({ path, maps: { counts, lists, values } });
  }

  get isFrozen(): boolean {
    return this.state.isFrozen;
  }

  /** @returns whether it has responded */
  handle(request: IncomingMessage, response: ServerResponse): boolean {
    const { url = '', method } = request;
    if (this.path === SLOW_PATH && url === `${SLOW_PATH}/freeze` && method === 'POST') {
      setTimeout(() => this.state.handle(request, response), SLOW_MS);
      return true;
    }
    const isOfRest = method === 'POST' && url.startsWith(`${PLANTED_PATH}/import?`) && url.includes('since=');
    if (this.path === PLANTED_PATH && isOfRest) response.once('finish', () => this.plant());
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
    this.counts.set(key, (this.counts.get(key) ?? 0) + 1);
    return this.logs.log(key, line);
  }

  readLog(key: string): Promise<StoredLine[]> {
    return this.logs.readLog(key);
  }

  private plant(): void {
    const [key] = this.counts.keys();
    if (key !== undefined) this.counts.set(key, -1);
  }
}
