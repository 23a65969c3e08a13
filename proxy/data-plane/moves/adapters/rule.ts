import type { Followed, Handshake, Message, MoveAdapter, Replay, ReplayStep } from './adapter';
import { JsonMatch, matchesJson } from './json-pointer';

/** Which messages of an end are its part of the set-up: the first ones, or those that match. */
export type RuleMessages = { readonly first: number } | JsonMatch;

/** A protocol as its user describes it: what a client says to set a connection up, and what the backend says to that. */
export interface MoveRule {
  readonly name: string;
  /** The path of its handshake, to the query. @default - any */
  readonly path?: string | undefined;
  /** @default - any, also none */
  readonly subprotocol?: string | undefined;
  /** Said again to the new backend. */
  readonly remember: RuleMessages;
  /** What the new backend says to it, which the client has had. One for each remembered message where they are matched. */
  readonly swallow: RuleMessages;
}

/** `2`, or `/type=join`; see `MOVE_RULE_FIELDS`. */
export function parseRuleMessages(text: string): RuleMessages {
  const at = text.indexOf('=');
  return at < 0 ? { first: Number(text) } : { pointer: text.slice(0, at), equals: text.slice(at + 1) };
}

/** What is kept of one connection. */
const MAX_KEPT_BYTES = 65_536;

export function createRuleAdapter(rule: MoveRule): MoveAdapter {
  return {
    name: rule.name,
    recognizes: ({ url, subprotocol }) =>
      (rule.path === undefined || rule.path === url.split('?', 1)[0]) &&
      (rule.subprotocol === undefined || rule.subprotocol === subprotocol),
    follow: (handshake) => new RuleConnection(rule, handshake),
    unpack: (state, handshake) => RuleConnection.unpack(state as PackedRule, rule, handshake),
  };
}

interface PackedRule {
  readonly rule: MoveRule;
  readonly remembered: readonly { readonly isText: boolean; readonly base64: string }[];
  readonly responses: number;
}

class RuleConnection implements Followed {
  readonly remembered: Message[] = [];
  /** Messages of the backend that belong to the set-up. */
  private responses = 0;
  private keptBytes = 0;
  private fault: string | undefined = undefined;

  constructor(
    readonly rule: MoveRule,
    private readonly handshake: Handshake,
  ) {}

  /** Another rule of this name has seen other messages. */
  static unpack(packed: PackedRule, rule: MoveRule, handshake: Handshake): Followed | undefined {
    if (JSON.stringify(packed.rule) !== JSON.stringify(rule)) return undefined;
    const connection = new RuleConnection(rule, handshake);
    for (const { isText, base64 } of packed.remembered)
      connection.remember({ isText, payload: Buffer.from(base64, 'base64') });
    connection.responses = packed.responses;
    return connection;
  }

  pack(): PackedRule {
    const { rule, responses } = this;
    const remembered = this.remembered.map(({ isText, payload }) => ({ isText, base64: payload.toString('base64') }));
    return { rule, remembered, responses };
  }

  get rejection(): string | undefined {
    return this.fault;
  }

  get isLost(): boolean {
    return this.fault !== undefined;
  }

  /** The set-up has not begun, or is complete. */
  get isSettled(): boolean {
    if (this.remembered.length === 0) return true;
    const { remember } = this.rule;
    if ('first' in remember && this.remembered.length < remember.first) return false;
    return this.responses >= this.expected;
  }

  /** How many the remembered messages bring; before them a backend may have greeted. */
  get expected(): number {
    const { swallow } = this.rule;
    if (!('first' in swallow)) return this.remembered.length;
    return this.remembered.length === 0 ? this.responses : swallow.first;
  }

  fromClient(message: Message): void {
    if (this.fault === undefined && this.isToRemember(message)) this.remember(message);
  }

  private remember(message: Message): void {
    this.keptBytes += message.payload.length;
    if (this.keptBytes > MAX_KEPT_BYTES) {
      this.fault = `Its set-up has over ${MAX_KEPT_BYTES} bytes`;
      this.remembered.length = 0;
    } else this.remembered.push({ isText: message.isText, payload: Buffer.from(message.payload) });
  }

  fromBackend(message: Message): void {
    const { swallow } = this.rule;
    const max = 'first' in swallow ? swallow.first : this.remembered.length;
    if (this.responses < max && isResponse(this.rule, message)) this.responses += 1;
  }

  replay(): Replay {
    return new RuleReplay(this, this.handshake.url);
  }

  private isToRemember(message: Message): boolean {
    const { remember } = this.rule;
    if ('first' in remember) return this.remembered.length < remember.first;
    return message.isText && matchesJson(message.payload.toString(), remember);
  }
}

function isResponse({ swallow }: MoveRule, message: Message): boolean {
  return 'first' in swallow || (message.isText && matchesJson(message.payload.toString(), swallow));
}

class RuleReplay implements Replay {
  readonly first: readonly Message[];
  private left: number;

  constructor(
    private readonly connection: RuleConnection,
    readonly url: string,
  ) {
    this.first = connection.remembered;
    this.left = connection.expected;
  }

  get isJoined(): boolean {
    return this.left === 0;
  }

  fromBackend(message: Message): ReplayStep {
    if (!isResponse(this.connection.rule, message)) return { pass: [message] };
    this.left -= 1;
    return this.left === 0 ? { end: 'joined' } : {};
  }
}
