import type {
  Followed,
  Handshake,
  Message,
  MoveAdapter,
  Replay,
  ReplayStep,
} from '../../../../../../proxy/data-plane/moves/adapters/adapter';

export const text = (content: string): Message => ({ isText: true, payload: Buffer.from(content) });
export const bytes = (...content: number[]): Message => ({ isText: false, payload: Buffer.from(content) });

export function handshake(url: string, subprotocol?: string): Handshake {
  return { url, subprotocol, field: () => undefined };
}

/** What passed on a connection: `> ` from the client, `< ` from the backend; `>*` and `<*` three bytes of no text. */
export function say(followed: Followed, ...lines: readonly string[]): Followed {
  for (const line of lines) {
    const message = line.length === 2 && line[1] === '*' ? bytes(1, 2, 3) : text(line.slice(2));
    if (line.startsWith('>')) followed.fromClient(message);
    else followed.fromBackend(message);
  }
  return followed;
}

/** One that goes to another process before each message. */
export function follow(adapter: MoveAdapter, url: string, subprotocol?: string): Followed {
  return new Traveller(adapter, handshake(url, subprotocol));
}

class Traveller implements Followed {
  private followed: Followed;

  constructor(
    private readonly adapter: MoveAdapter,
    private readonly asked: Handshake,
  ) {
    this.followed = adapter.follow(asked);
  }

  fromClient(message: Message): void {
    this.travel().fromClient(message);
  }

  fromBackend(message: Message): void {
    this.travel().fromBackend(message);
  }

  get rejection(): string | undefined {
    return this.followed.rejection;
  }

  get isLost(): boolean | undefined {
    return this.followed.isLost;
  }

  get isSettled(): boolean {
    return this.followed.isSettled;
  }

  replay(): Replay {
    return this.travel().replay();
  }

  private travel(): Followed {
    // What is lost is followed no more, and does not go over.
    if (this.followed.isLost === true) return this.followed;
    const state: unknown = JSON.parse(JSON.stringify(this.followed.pack!()));
    return (this.followed = this.adapter.unpack!(state, this.asked)!);
  }
}

const show = (message: Message) => (message.isText ? message.payload.toString() : `(${message.payload.length} bytes)`);

/** What the new backend's messages bring: `> ` to it, `< ` to the client, `!` with how it ends. */
export function answer(replay: Replay, ...lines: readonly string[]): string[] {
  return lines.flatMap((line) => showStep(replay.fromBackend(line === '*' ? bytes(1, 2, 3) : text(line))));
}

function showStep({ send = [], pass = [], opens, end }: ReplayStep): string[] {
  const said = [...send.map((message) => `> ${show(message)}`), ...pass.map((message) => `< ${show(message)}`)];
  if (opens) said.push('! open');
  if (end === 'joined') said.push('! joined');
  else if (end !== undefined) said.push(`! ${end.rejected}`);
  return said;
}

export const showFirst = ({ first }: Replay) => first.map((message) => `> ${show(message)}`);
