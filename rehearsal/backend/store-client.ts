import { Socket, connect } from 'node:net';
import { createInterface } from 'node:readline';
import type { StoredLine } from '../writes/write-log';
import { Store, StoreCall } from './store-state';

type Waiter = { resolve(response: unknown): void; reject(error: Error): void };

/** A backend's connection to the store. Calls are pipelined: the responses come back in the order of the calls. */
export class StoreClient implements Store {
  private readonly waiting: Waiter[] = [];

  private constructor(private readonly socket: Socket) {
    createInterface({ input: socket }).on('line', (line) => this.waiting.shift()?.resolve(JSON.parse(line)));
    socket.on('error', () => socket.destroy());
    socket.on('close', () => this.fail());
  }

  /** @param url `tcp://127.0.0.1:4711` */
  static async open(url: string): Promise<StoreClient> {
    const { hostname, port } = new URL(url);
    const socket = connect({ host: hostname, port: Number(port), noDelay: true });
    await new Promise<void>((resolve, reject) => socket.once('connect', resolve).once('error', reject));
    return new StoreClient(socket);
  }

  increment = (key: string) => this.call<number>(['increment', key]);
  append = (key: string, value: string) => this.call<string[]>(['append', key, value]);
  list = (key: string) => this.call<string[]>(['list', key]);
  setOnce = (key: string, value: string) => this.call<string>(['setOnce', key, value]);
  get = (key: string) => this.call<string | null>(['get', key]);
  log = (key: string, line: string) => this.call<number>(['log', key, line]);
  readLog = (key: string) => this.call<StoredLine[]>(['readLog', key]);

  close(): void {
    this.socket.destroy();
  }

  private call<T>(call: StoreCall): Promise<T> {
    return new Promise<T>((resolve, reject) => {
      if (this.socket.destroyed) return reject(new Error('The store is gone'));
      this.waiting.push({ resolve, reject });
      this.socket.write(`${JSON.stringify(call)}\n`);
    });
  }

  private fail(): void {
    for (const waiter of this.waiting.splice(0)) waiter.reject(new Error('The store is gone'));
  }
}
