import http from 'node:http';
import type { Socket } from 'node:net';
import type { Moves } from '../../../../../core/moves/moves';
import type { MoveSettings, Upstream } from '../../../../../proxy/data-plane/contract/data-plane';
import type { LedgerEntry, Movable } from '../../../../../proxy/data-plane/contract/ledger';
import { Engine, later, startBackend, startEngine } from '../../../support/world';

export type Write = (bytes: string) => void;

/** Numbered events that several backends have in common, as behind a shared store. */
export class Feed {
  readonly texts: string[] = [];
  private readonly readers = new Set<() => void>();

  publish(text = `data: ${this.texts.length + 1}`): void {
    this.texts.push(text);
    for (const read of [...this.readers]) read();
  }

  /** Sends all behind an id, and what comes later. @returns stops */
  follow(lastId: number, write: Write): () => void {
    let next = lastId;
    const read = () => {
      for (; next < this.texts.length; next += 1) write(`id: ${next + 1}\n${this.texts[next]}\n\n`);
    };
    this.readers.add(read);
    read();
    return () => void this.readers.delete(read);
  }
}

export interface FeedBackend {
  readonly port: number;
  readonly upstream: Upstream;
  readonly sockets: Set<Socket>;
  readonly requests: http.IncomingMessage[];
  readonly responses: http.ServerResponse[];
}

/** Serves the events of a feed. @param begin what it sends before them, by the id that it was asked to go on after */
export async function startFeed(feed: Feed, begin: (lastId: number) => string = () => ''): Promise<FeedBackend> {
  return startStream((request, response) => {
    const lastId = Number(request.headers['last-event-id'] ?? 0);
    response.writeHead(200, { 'content-type': 'text/event-stream', 'x-backend': 'feed' });
    response.flushHeaders();
    const first = begin(lastId);
    if (first !== '') response.write(first);
    response.on(
      'close',
      feed.follow(lastId, (bytes) => response.write(bytes)),
    );
  });
}

export async function startStream(handler: http.RequestListener): Promise<FeedBackend> {
  const requests: http.IncomingMessage[] = [];
  const responses: http.ServerResponse[] = [];
  const { port, sockets } = await startBackend((request, response) => {
    requests.push(request);
    responses.push(response);
    handler(request, response);
  });
  return { port, upstream: { protocol: 'http', host: '127.0.0.1', port }, sockets, requests, responses };
}

type StartOptions = NonNullable<Parameters<typeof startEngine>[1]>;

const MOVES: MoveSettings = { mode: 'resumable', timeoutMs: 2_000, never: [], dropsContextTakeover: false };

export function startMover(
  port: number,
  { moves, ...options }: Omit<StartOptions, 'moves'> & { moves?: Partial<MoveSettings> } = {},
): Promise<Engine> {
  return startEngine(port, { ...options, moves: { ...MOVES, ...moves } });
}

export interface Reader {
  text(): string;
  /** Resolves when the stream ends in order, rejects when it is cut. */
  readonly end: Promise<void>;
  readonly response: Promise<http.IncomingMessage>;
  destroy(): void;
}

export function readStream(port: number, headers: http.OutgoingHttpHeaders = {}, path = '/feed?a=b'): Reader {
  let text = '';
  let request: http.ClientRequest | undefined;
  let begun: (response: http.IncomingMessage) => void = () => undefined;
  const response = new Promise<http.IncomingMessage>((resolve) => (begun = resolve));
  const end = new Promise<void>((resolve, reject) => {
    const accept = { accept: 'text/event-stream', ...headers };
    request = http.get({ host: '127.0.0.1', port, path, agent: false, headers: accept }, (got) => {
      begun(got);
      got.on('data', (chunk: Buffer) => (text += chunk.toString('latin1')));
      got.on('end', resolve);
      got.on('error', reject);
    });
    request.on('error', reject);
  });
  end.catch(() => undefined);
  const destroy = () => void request?.destroy();
  later(destroy);
  return { text: () => text, end, response, destroy };
}

/** The numbers of a feed's events, as its reader got them. */
export function listIds(text: string): number[] {
  return [...text.matchAll(/^id: (\d+)$/gm)].map(([, id]) => Number(id));
}

export function upTo(count: number): number[] {
  return Array.from({ length: count }, (_, index) => index + 1);
}

export function findStream({ ledger }: Engine): LedgerEntry {
  const [entry] = ledger.closables('serverSentEvents');
  if (entry === undefined) throw new Error('There must be a stream, got none');
  return entry;
}

export function findMovable(engine: Engine): Movable {
  const { movable } = findStream(engine);
  if (movable === undefined) throw new Error('The stream must be movable');
  return movable;
}

/** Both halves of a move. */
export async function move(engine: Engine, to: FeedBackend, epoch?: number): Promise<unknown> {
  const movable = findMovable(engine);
  return (await movable.leave()) ?? movable.join(to.upstream, epoch);
}

export function rejectionOf(engine: Engine, moves: Moves = 'resumable'): string | undefined {
  return findMovable(engine).rejection(moves);
}
