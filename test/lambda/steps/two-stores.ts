import { readFileSync } from 'node:fs';
import { join } from 'node:path';
import { Redis } from 'iovalkey';
import type { CutoverRun } from '../../../core/cutover/run';
import type { StorePlan } from '../../../core/plan/state-plan';
import type { Side } from '../../../core/traffic/weights';
import { keyStoresPort } from '../../../lambda/adapters/key-store/key-stores';
import type { StoreServer } from '../../../lambda/contract/store-ports';
import { rollback } from '../../../lambda/steps/rollback';
import { switchStep } from '../../../lambda/steps/switch';
import { RunningStore, startStoreOf } from '../../support/redis-server';
import type { TlsFiles } from '../../support/tls-files';
import { SwitchCloud } from './switch-cloud';

const SECRET = 'arn:aws:secretsmanager:eu-central-1:111122223333:secret:source-abcdef';
export const PASSWORD = 'pass-of-the-steps';

interface StoresOptions {
  /** Of ACL, for the user of the steps. @default - all commands */
  readonly rules?: readonly string[];
  readonly tls?: TlsFiles;
}

const MAX_CALLS = 10;

/** A store for each side, as real servers, and a cutover between them. */
export class TwoStores {
  readonly cloud = new SwitchCloud();
  readonly source: Redis;
  readonly target: Redis;
  /** What happens to a store of the steps before it does its work. */
  before: (side: Side, call: keyof StoreServer) => Promise<unknown> = () => Promise.resolve();

  static async start(command: string, { rules = ['+@all'], tls }: StoresOptions = {}): Promise<TwoStores> {
    const start = () => startStoreOf(command, tls?.options, tls !== undefined);
    const [source, target] = await Promise.all([start(), start()]);
    const stores = new TwoStores({ source, target }, tls?.caPem);
    for (const each of [stores.source, stores.target])
      await each.call('ACL', 'SETUSER', 'steps', 'on', `>${PASSWORD}`, '~*', '&*', '-@all', ...rules);
    return stores;
  }

  private constructor(
    readonly servers: Readonly<Record<Side, RunningStore>>,
    private readonly caPem?: string,
  ) {
    const tls = caPem === undefined ? {} : { tls: { ca: caPem, servername: 'localhost' } };
    const connect = ({ port }: RunningStore) => {
      const redis = new Redis({ port, retryStrategy: () => null, disconnectTimeout: 100, ...tls });
      // Servers are killed.
      redis.on('error', () => undefined);
      return redis;
    };
    this.source = connect(servers.source);
    this.target = connect(servers.target);
    const port = keyStoresPort(() => Promise.resolve(JSON.stringify({ username: 'steps', password: PASSWORD })));
    const findSide = ({ url }: StorePlan) => (url.includes(`:${servers.source.port}`) ? 'source' : 'target');
    this.cloud.openStore = async (plan, limitMs) => {
      await this.before(findSide(plan), 'close');
      return this.meddled(await port.open(plan, limitMs), findSide(plan));
    };
    this.cloud.openServer = async (plan, limitMs) => {
      await this.before(findSide(plan), 'close');
      return this.meddled(await port.openServer(plan, limitMs), findSide(plan));
    };
  }

  /** `switch.state` of a plan. */
  state(valkey: object = {}) {
    const { source, target } = this.servers;
    const { caPem } = this;
    const place = caPem === undefined ? 'redis://127.0.0.1' : 'rediss://localhost';
    const store = ({ port }: RunningStore) => ({ url: `${place}:${port}`, secretArn: SECRET, ...(caPem && { caPem }) });
    return {
      valkey: { source: store(source), target: store(target), ...valkey },
      // A busy machine is no verdict.
      timeoutMs: { freeze: 5_000, transfer: 9_000, verify: 9_000, thaw: 3_000 },
    };
  }

  begin(plan: object = {}): CutoverRun {
    return this.cloud.switching({ state: this.state(), maxPauseMs: 25_000, ...plan });
  }

  step(run: CutoverRun): Promise<CutoverRun> {
    return switchStep(run, this.cloud.ports, this.cloud.nowMs);
  }

  /** Until there was an attempt, or there is none: a copy that took its time leaves the attempt to the next call. */
  async attempt(run: CutoverRun): Promise<CutoverRun> {
    let next = await this.step(run);
    for (let calls = 0; next.verdict === 'wait' && !next.switches && calls < MAX_CALLS; calls += 1)
      next = await this.step(next);
    return next;
  }

  back(run: CutoverRun): Promise<CutoverRun> {
    return rollback(run, this.cloud.ports, this.cloud.nowMs);
  }

  async stop(): Promise<void> {
    this.cloud.end();
    this.source.disconnect();
    this.target.disconnect();
    await Promise.all([this.servers.source.stop(), this.servers.target.stop()]);
  }

  private meddled<T extends object>(store: T, side: Side): T {
    return new Proxy(store, {
      get: (object, name) => {
        const method = object[name as keyof T];
        if (typeof method !== 'function' || name === 'close')
          return typeof method === 'function' ? (method.bind(object) as unknown) : method;
        return async (...given: unknown[]) => {
          await this.before(side, name as keyof StoreServer);
          return (method as (...given: unknown[]) => unknown).apply(object, given);
        };
      },
    });
  }
}

/** All keys of types of every kind. */
export async function fill(redis: Redis): Promise<void> {
  const pipeline = redis.pipeline();
  for (let at = 0; at < 600; at += 1) pipeline.set(`cart:${at}`, `thing ${at}`);
  pipeline.hset('hash', { b: '2', a: '1' }).rpush('list', 'x', 'y', 'x').sadd('set', 'one', 'two', 'three');
  pipeline
    .zadd('sorted', 1.5, 'a', 'inf', 'b')
    .xadd('stream', '1-1', 'field', 'value')
    .xgroup('CREATE', 'stream', 'g', '0');
  pipeline.set('session', 'of a person', 'PX', 600_000).set(Buffer.from([0xff, 0x00, 0x0a]), 'of bytes');
  await pipeline.exec();
}

/** All that a store has: by DEBUG DIGEST, which is the server's own. */
export const digest = (redis: Redis) => redis.call('DEBUG', 'DIGEST') as Promise<string>;

/** The commands of the docs for the user of the steps, as rules of ACL: they must be enough. */
export function listDocumentedRules(): string[] {
  const docs = readFileSync(join(__dirname, '../../../docs/state.md'), 'utf8');
  const paragraph = /The user needs these commands: ([^]*?)\n\n/.exec(docs)![1]!;
  const found = paragraph.match(/\b(CONFIG|CLIENT) [A-Z]+\b|\b[A-Z]{3,}\b/g)!;
  return found.map((name) => `+${name.toLowerCase().replace(' ', '|')}`);
}
