import net, { Socket } from 'node:net';
import tls from 'node:tls';
import type { Clock } from '../process/clock';
import type { SessionStoreConfig } from '../config/session-store-settings';

/** Between two looks at a store that responds. */
const LOOK_MS = 5_000;
const RESPONSE_MS = 2_000;
const FIRST_RETRY_MS = 1_000;
const MAX_RETRY_MS = 30_000;
/** A response to what is asked here is shorter. */
const MAX_BYTES = 4_096;

export interface SessionStoreLog {
  info(message: string): void;
  warn(message: string): void;
}

/**
 * Keeps one connection to a Redis or Valkey server, and knows whether it responds. Nothing is stored or read there.
 *
 * @see https://redis.io/docs/latest/develop/reference/protocol-spec/
 */
export class SessionStore {
  isConnected = false;
  private socket: Socket | undefined;
  private pending = '';
  private failures = 0;
  private problem: string | undefined;
  private cancel: () => void = () => undefined;

  constructor(
    private readonly config: SessionStoreConfig,
    private readonly clock: Clock,
    private readonly log: SessionStoreLog,
  ) {}

  start(): void {
    const socket = connect(this.config);
    this.socket = socket;
    this.pending = '';
    socket.setEncoding('latin1');
    socket.on('data', (text: string) => this.hear(text));
    socket.on('error', (error) => this.fail(formatReason(error)));
    socket.on('close', () => this.fail('the connection was closed'));
    // Not before its certificate was checked: a password follows.
    socket.once(this.config.isTls ? 'secureConnect' : 'connect', () => this.greet());
    this.limitWait();
  }

  stop(): void {
    this.cancel();
    this.leave();
  }

  private greet(): void {
    const { user, password } = this.config;
    if (password !== undefined) this.socket?.write(command(['AUTH', ...(user === undefined ? [] : [user]), password]));
    this.ask();
  }

  private ask(): void {
    this.socket?.write(command(['PING']));
    this.limitWait();
  }

  private limitWait(): void {
    this.cancel();
    this.cancel = this.clock.after(RESPONSE_MS, () => this.fail(`no response within ${RESPONSE_MS / 1000} s`));
  }

  private hear(text: string): void {
    const lines = (this.pending + text).split('\r\n');
    this.pending = lines.pop() ?? '';
    for (const line of lines) {
      const problem = this.findProblem(line);
      if (problem !== undefined) return this.fail(problem);
      if (line !== '+OK') this.confirm();
    }
    if (this.pending.length > MAX_BYTES) this.fail('a response that is too long');
  }

  /** Without a password a store that asks for one is there all the same: the applications have their own way to log in. */
  private findProblem(line: string): string | undefined {
    if (line === '+OK' || line === '+PONG') return undefined;
    if (this.config.password === undefined && line.startsWith('-NOAUTH')) return undefined;
    return line.startsWith('-') ? withoutQuotes(line.slice(1)) : 'a response that is none of Redis';
  }

  private confirm(): void {
    this.cancel();
    this.cancel = this.clock.after(LOOK_MS, () => this.ask());
    // One that responds once and goes is no better than one that is away: neither the pauses nor the log begin anew.
    if (this.isConnected) this.settle();
    this.isConnected = true;
  }

  private settle(): void {
    this.failures = 0;
    if (this.problem !== undefined) this.log.info('The session store responds again');
    this.problem = undefined;
  }

  private fail(problem: string): void {
    this.cancel();
    this.leave();
    this.isConnected = false;
    // Said once for each reason.
    if (this.problem !== problem) this.log.warn(`The session store does not respond: ${problem}`);
    this.problem = problem;
    this.failures += 1;
    const pauseMs = Math.min(MAX_RETRY_MS, FIRST_RETRY_MS * 2 ** (this.failures - 1));
    this.cancel = this.clock.after(pauseMs, () => this.start());
  }

  /** Hears no more of the connection. */
  private leave(): void {
    this.socket?.removeAllListeners();
    this.socket?.on('error', () => undefined);
    this.socket?.destroy();
    this.socket = undefined;
  }
}

function connect({ host, port, isTls }: SessionStoreConfig): Socket {
  if (!isTls) return net.connect({ host, port });
  // An address has no server name (RFC 6066 section 3).
  return tls.connect({ host, port, servername: net.isIP(host) === 0 ? host : undefined });
}

/** Where every address of a name refused, Node gives an error without a message. */
function formatReason(error: NodeJS.ErrnoException): string {
  return error.message || (error.code ?? error.name);
}

/** A server that does not know a command quotes it: `ERR unknown command 'AUTH', with args beginning with: '…'`. */
export function withoutQuotes(reply: string): string {
  const quote = reply.slice(0, 200).search(/['"`]/);
  return quote < 0 ? reply.slice(0, 200) : `${reply.slice(0, quote).trimEnd()} …`;
}

/** A command as an array of bulk strings. */
function command(parts: readonly string[]): string {
  const bulk = parts.map((part) => `$${Buffer.byteLength(part)}\r\n${part}\r\n`);
  return `*${parts.length}\r\n${bulk.join('')}`;
}
