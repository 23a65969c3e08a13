import { randomBytes } from 'node:crypto';
import type { FieldBlock } from '../contract/streams';
import { listLines, listValues, listed, withoutFields, withoutSpace } from '../fields/lines';
import type { PackedResume } from '../contract/handover';
import type { UpstreamHead } from '../contract/upstreams';
import type { MoveTap } from './tap';

/** Of the switch that was committed last; see `forwardingFields`. */
export const EPOCH_FIELD = 'x-drainshift-epoch';
const TOKEN_BYTES = 16;

export interface ResumeParts {
  readonly url: string;
  /** The fields that went to the first upstream, without those of a move. */
  readonly sent: FieldBlock;
  /** The fields of its 101, without its token. */
  readonly fields: FieldBlock;
  readonly token: string;
  /** The application gave a token, or its protocol is known. */
  readonly isResumable: boolean;
  readonly tap: MoveTap | undefined;
}

/** What a live connection keeps so that its handshake can be said again: flat texts, since it may live for days. */
export class Resume {
  readonly isResumable: boolean;
  readonly tap: MoveTap | undefined;
  /** Path and query in the first line, the fields behind it. */
  private readonly handshake: string;
  private readonly agreed: string;
  private readonly token: string;

  constructor({ url, sent, fields, token, isResumable, tap }: ResumeParts) {
    this.isResumable = isResumable;
    this.tap = tap;
    this.handshake = flat(`${url}\r\n${sent}`);
    this.agreed = flat(`${subprotocol(fields)}\n${extensions(fields)}`);
    this.token = flat(token);
  }

  /** One of another process. @param tap what follows it here, where it was followed */
  static unpack({ handshake, agreed, token, isResumable }: PackedResume, tap: MoveTap | undefined): Resume {
    const [name, extensions] = agreed.split('\n');
    const fields = listLines('sec-websocket-protocol', name) + listLines('sec-websocket-extensions', extensions);
    const end = handshake.indexOf('\r\n');
    const [url, sent] = [handshake.slice(0, end), handshake.slice(end + 2)];
    return new Resume({ url, sent, fields, token, isResumable, tap });
  }

  /**
   * For another process, with what is known of its messages, where it is followed.
   *
   * @param at the number that those bytes will have
   * @returns undefined where more is known of them than can be said
   */
  pack(at: number): { readonly resume: PackedResume; readonly bytes: readonly Buffer[] } | undefined {
    const { handshake, agreed, token, isResumable, tap } = this;
    const resume = { handshake, agreed, token, isResumable };
    if (tap === undefined) return { resume, bytes: [] };
    const known = tap.pack();
    return known && { resume: { ...resume, tap: at }, bytes: [known] };
  }

  /** The path and query of the client. */
  get url(): string {
    return this.handshake.slice(0, this.handshake.indexOf('\r\n'));
  }

  /** What another upstream is asked for. @param epoch undefined where there are no switches */
  fields(epoch: number | undefined): FieldBlock {
    const sent = withoutFields(this.sent, [EPOCH_FIELD]);
    const at = epoch === undefined ? '' : listLines('X-Drainshift-Epoch', String(epoch));
    return sent + at + listLines('X-Drainshift-Resume', this.token);
  }

  /** Why a 101 with these fields is not what the client can go on with. */
  differs(fields: FieldBlock): 'otherSubprotocol' | 'otherExtensions' | undefined {
    const [name, agreed] = this.agreed.split('\n');
    if (subprotocol(fields) !== name) return 'otherSubprotocol';
    return extensions(fields) === agreed ? undefined : 'otherExtensions';
  }

  get head(): UpstreamHead {
    return new ResumedHead(this.sent);
  }

  private get sent(): FieldBlock {
    return this.handshake.slice(this.handshake.indexOf('\r\n') + 2);
  }
}

/** What the first handshake of a connection offers its upstream: a name for the connection that outlives it. */
export function offerToken(): string {
  return randomBytes(TOKEN_BYTES).toString('base64url');
}

export function tokenLine(token: string): FieldBlock {
  return listLines('X-Drainshift-Resume-Token', token);
}

/** The first handshake of a client, as far as a second one needs it. */
class ResumedHead implements UpstreamHead {
  readonly method = 'GET';
  readonly upgrade = 'websocket';
  readonly bodyLength = 0;
  readonly takesTrailers = false;
  readonly isGrpc = false;

  constructor(private readonly fields: FieldBlock) {}

  field(name: string): string | undefined {
    const values = listValues(this.fields, name);
    return values.length === 0 ? undefined : values.join(', ');
  }
}

function subprotocol(fields: FieldBlock): string {
  return listValues(fields, 'sec-websocket-protocol').join(',');
}

/** Their names and parameters in one order and spelling. */
function extensions(fields: FieldBlock): string {
  const chosen = listValues(fields, 'sec-websocket-extensions').flatMap(listed);
  return chosen.map(spell).join(', ');
}

function spell(extension: string): string {
  const [name, ...parameters] = extension
    .split(';')
    .map((part) => withoutSpace(part).toLowerCase().replaceAll('"', ''));
  return [name, ...parameters.sort()].join(';');
}

/** A text of its own: a part of another one keeps all of that. */
export function flat(text: string): string {
  return Buffer.from(text, 'latin1').toString('latin1');
}
