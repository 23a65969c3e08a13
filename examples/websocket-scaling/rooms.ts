// What the replicas share in Valkey: the state of each client, which replica has it, and the messages of the rooms.
import { Redis } from 'iovalkey';

/** A message of a room. */
export interface Entry {
  /** Of the stream: milliseconds and a number, which only grow. */
  readonly id: string;
  readonly from: string;
  readonly message_id: number;
  readonly text: string;
}

/** What is known of a client, whichever replica it comes to. */
export interface State {
  /** Its newest message. */
  readonly last_message_id: number;
  /** How many it has sent. */
  readonly messages: number;
}

interface RoomsOptions {
  /** Or the path of a socket. */
  readonly url: string;
  readonly password?: string;
  readonly server: string;
  readonly keptSeconds: number;
}

interface Commands {
  publishOnce(state: string, room: string, id: number, from: string, text: string, seconds: number): Promise<string[]>;
  releaseConnection(connection: string, server: string): Promise<number>;
}

/** As many messages of a room as a client can have missed. */
const HISTORY = 10_000;

/**
 * In one step, so that no replica that dies can do half of it. A message with a number that was there is counted and
 * published no second time.
 */
const PUBLISH_ONCE = `
local last = tonumber(redis.call('HGET', KEYS[1], 'last_message_id') or '0')
local id = tonumber(ARGV[1])
if id > last then
  local entry = redis.call('XADD', KEYS[2], 'MAXLEN', '~', ${HISTORY}, '*', 'from', ARGV[2], 'message_id', ARGV[1], 'text', ARGV[3])
  redis.call('HSET', KEYS[1], 'last_message_id', ARGV[1])
  redis.call('HINCRBY', KEYS[1], 'messages', 1)
  redis.call('PUBLISH', KEYS[2], cjson.encode({id = entry, from = ARGV[2], message_id = id, text = ARGV[3]}))
end
redis.call('EXPIRE', KEYS[1], ARGV[4])
return redis.call('HMGET', KEYS[1], 'last_message_id', 'messages')`;

/** Only by the replica that has the client: it may have come to another one meanwhile. */
const RELEASE_CONNECTION = `
if redis.call('GET', KEYS[1]) == ARGV[1] then return redis.call('DEL', KEYS[1]) end
return 0`;

type Deliver = (entry: Entry) => void;

export class Rooms {
  readonly #store: Redis & Commands;
  /** A connection that listens can do nothing else. */
  readonly #listener: Redis;
  readonly #members = new Map<string, Map<object, Deliver>>();
  readonly #options: RoomsOptions;

  constructor(options: RoomsOptions) {
    this.#options = options;
    const settings = { password: options.password, lazyConnect: true, maxRetriesPerRequest: 3 };
    this.#store = new Redis(options.url, settings) as Redis & Commands;
    this.#listener = this.#store.duplicate();
    this.#store.defineCommand('publishOnce', { numberOfKeys: 2, lua: PUBLISH_ONCE });
    this.#store.defineCommand('releaseConnection', { numberOfKeys: 1, lua: RELEASE_CONNECTION });
    for (const each of [this.#store, this.#listener]) each.on('error', (error) => console.error(String(error)));
    this.#listener.on('message', (channel: string, text: string) => {
      const entry = JSON.parse(text) as Entry;
      for (const deliver of this.#members.get(channel)?.values() ?? []) deliver(entry);
    });
  }

  async start(): Promise<void> {
    await Promise.all([this.#store.connect(), this.#listener.connect()]);
  }

  async stop(): Promise<void> {
    await Promise.all([this.#store.quit(), this.#listener.quit()]);
  }

  async isConnected(): Promise<boolean> {
    return this.#store.ping().then(
      () => true,
      () => false,
    );
  }

  /** From now on its messages are delivered. */
  async join(room: string, member: object, deliver: Deliver): Promise<void> {
    const channel = `room:${room}`;
    const members = this.#members.get(channel) ?? new Map<object, Deliver>();
    this.#members.set(channel, members.set(member, deliver));
    // Also where it listens already: the response says that it does.
    await this.#listener.subscribe(channel);
  }

  leave(room: string, member: object): void {
    this.#members.get(`room:${room}`)?.delete(member);
  }

  /** Notes that this replica has the client. */
  async open(id: string, room: string): Promise<State> {
    const { server, keptSeconds } = this.#options;
    const [, , values] = (await this.#store
      .multi()
      .set(`connection:${id}`, server, 'EX', keptSeconds)
      .hset(`state:${id}`, 'room', room)
      .hmget(`state:${id}`, 'last_message_id', 'messages')
      .expire(`state:${id}`, keptSeconds)
      .exec()) as [unknown, unknown, [Error | null, (string | null)[]]];
    return readState(values[1]);
  }

  async forget(id: string, isForGood: boolean): Promise<void> {
    const released = await this.#store.releaseConnection(`connection:${id}`, this.#options.server);
    if (released === 1 && isForGood) await this.#store.del(`state:${id}`);
  }

  /** Keys outlive their replica by a minute at the most. */
  async renew(clients: readonly { readonly id: string }[]): Promise<void> {
    const pipeline = this.#store.pipeline();
    for (const { id } of clients) {
      pipeline.expire(`connection:${id}`, this.#options.keptSeconds).expire(`state:${id}`, this.#options.keptSeconds);
    }
    await pipeline.exec();
  }

  async publish(room: string, from: string, message: { message_id: number; text: string }): Promise<State> {
    const { keptSeconds } = this.#options;
    const keys = [`state:${from}`, `room:${room}`] as const;
    return readState(await this.#store.publishOnce(...keys, message.message_id, from, message.text, keptSeconds));
  }

  async newest(room: string): Promise<string> {
    const [newest] = await this.#store.xrevrange(`room:${room}`, '+', '-', 'COUNT', 1);
    return newest?.[0] ?? '0-0';
  }

  /** What came after an entry. */
  async since(room: string, last: string): Promise<Entry[]> {
    const entries = await this.#store.xrange(`room:${room}`, `(${last}`, '+');
    return entries.map(([id, [, from = '', , message_id = '0', , text = '']]) => ({
      ...{ id, from, message_id: Number(message_id), text },
    }));
  }

  isLater(id: string, than: string): boolean {
    const [[ms, n], [thanMs, thanN]] = [id, than].map((each) => each.split('-').map(Number)) as [number[], number[]];
    return ms! > thanMs! || (ms === thanMs && n! > thanN!);
  }
}

function readState([last, messages]: readonly (string | null)[]): State {
  return { last_message_id: Number(last ?? 0), messages: Number(messages ?? 0) };
}
