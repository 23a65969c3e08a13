import type { MoveRejection } from '../../../core/moves/moves';
import type { MoveSettings, RequestHead } from '../contract/data-plane';
import type { FieldBlock } from '../contract/streams';
import { RESUME_TOKEN_FIELD } from '../fields/field-lines';
import { compilePattern } from '../fields/request-pattern';
import { listLines, listValues, listed, withoutFields, withoutSpace } from '../fields/lines';
import { Resume } from './resume';
import type { TapFinder } from './find-tap';
import type { MoveTap } from './tap';

const EXTENSIONS = 'sec-websocket-extensions';
const DEFLATE = 'permessage-deflate';
/** RFC 7692 section 7.1.1. */
const NO_TAKEOVER = ['server_no_context_takeover', 'client_no_context_takeover'] as const;

/** A handshake that an upstream has accepted. */
export interface Accepted {
  readonly head: RequestHead;
  /** Path and query, as they were sent. */
  readonly url: string;
  /** The fields that were sent to the upstream, but for the offer of a token. */
  readonly sent: FieldBlock;
  /** Those of its 101. */
  readonly fields: FieldBlock;
  /** The token that it was offered. */
  readonly token: string;
}

/** What a plane knows of moves before there is one: which connections can be moved, found out at their handshake. */
export class MoveRules {
  private readonly never: readonly ((head: RequestHead) => boolean)[];

  /** `taps`: what follows a connection whose protocol has to be set up again at another upstream. */
  constructor(
    readonly settings: MoveSettings,
    private readonly taps: TapFinder,
  ) {
    this.never = settings.never.map(compilePattern);
  }

  /** Whether a request has what is never moved. */
  isNever(head: RequestHead): boolean {
    return this.never.some((matches) => matches(head));
  }

  /** What followed a connection in another process. @returns undefined where nothing does here */
  unpackTap(bytes: Buffer): MoveTap | undefined {
    return this.taps.unpack(bytes);
  }

  /** The fields of a handshake as they go to the upstream. */
  prepare(fields: FieldBlock): FieldBlock {
    return this.settings.dropsContextTakeover ? offerNoTakeover(fields) : fields;
  }

  /** The fields of a 101 as they go to the client, and what a move of its connection rests on, or why there can be none. */
  judge(accepted: Accepted): { readonly fields: FieldBlock; readonly resume: Resume | MoveRejection } {
    const fields = withoutFields(accepted.fields, [RESUME_TOKEN_FIELD]);
    const toClient = this.settings.dropsContextTakeover ? askNoTakeover(fields) : fields;
    const rejection = this.findRejection(accepted.head, toClient);
    if (rejection !== undefined) return { fields: toClient, resume: rejection };
    const given = listValues(accepted.fields, RESUME_TOKEN_FIELD).find((token) => token !== '');
    // An application that gave a token needs nothing else.
    const tap = given === undefined ? this.taps.find(accepted) : undefined;
    const isResumable = given !== undefined || tap !== undefined;
    if (!isResumable && this.settings.mode === 'resumable') return { fields: toClient, resume: 'noToken' };
    const { url, sent, token } = accepted;
    return { fields: toClient, resume: new Resume({ url, sent, fields, token: given ?? token, isResumable, tap }) };
  }

  private findRejection(head: RequestHead, fields: FieldBlock): MoveRejection | undefined {
    if (this.isNever(head)) return 'neverMoved';
    const extensions = listValues(fields, EXTENSIONS).flatMap(listed);
    if (extensions.length === 0) return undefined;
    const parameters = readExtension(extensions[0]!);
    if (extensions.length > 1 || parameters[0] !== DEFLATE) return 'extension';
    return NO_TAKEOVER.every((name) => parameters.includes(name)) ? undefined : 'contextTakeover';
  }
}

/** Its name and its parameters, in lower case. */
function readExtension(extension: string): string[] {
  return extension.split(';').map((part) => withoutSpace(part).toLowerCase());
}

/** Each offer of permessage-deflate asks for no context takeover in either direction (RFC 7692 section 7.1.1). */
function offerNoTakeover(fields: FieldBlock): FieldBlock {
  const offers = listValues(fields, EXTENSIONS).flatMap(listed);
  if (!offers.some((offer) => readExtension(offer)[0] === DEFLATE)) return fields;
  return (
    withoutFields(fields, [EXTENSIONS]) + listLines('Sec-WebSocket-Extensions', offers.map(withNoTakeover).join(', '))
  );
}

/**
 * An upstream that keeps the context of what it receives reads what a client sends without one just as well: so the client
 * is asked for that, though the upstream has not (RFC 7692 section 7.1.1.2 allows it whatever was offered).
 */
function askNoTakeover(fields: FieldBlock): FieldBlock {
  const extensions = listValues(fields, EXTENSIONS).flatMap(listed);
  const parameters = readExtension(extensions[0] ?? '');
  if (extensions.length !== 1 || parameters[0] !== DEFLATE || !parameters.includes(NO_TAKEOVER[0])) return fields;
  return withoutFields(fields, [EXTENSIONS]) + listLines('Sec-WebSocket-Extensions', withNoTakeover(extensions[0]!));
}

function withNoTakeover(extension: string): string {
  const parameters = readExtension(extension);
  if (parameters[0] !== DEFLATE) return extension;
  const missing = NO_TAKEOVER.filter((name) => !parameters.includes(name));
  return [extension, ...missing].join('; ');
}
