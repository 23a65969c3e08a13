import { randomBytes } from 'node:crypto';
import type { RequestHead } from '../data-plane/contract/data-plane';
import { viaMember } from '../data-plane/fields/via';

/**
 * How often a request may have been here. With a name, never: the operator who gives one knows what is in front. Without one
 * some
 * passes are let through, as a backend may ask its own public name and hand on the fields that it got.
 */
const MAX_PASSES = { via: 0, 'cdn-loop': 8 } as const;

/**
 * Recognizes a request that this proxy, or another one of its deployment, has forwarded before: without that, an upstream
 * that leads back here makes thousands of requests of one.
 *
 * With a name it is told in `Via` (RFC 9110 section 7.6.3). Without one it is told in `CDN-Loop` (RFC 8586), under the
 * name of the service or, without one, of this process: backends look at `Via`, and nginx compresses nothing for a request
 * that has it.
 */
export class LoopGuard {
  readonly field: 'via' | 'cdn-loop';
  private readonly name: string;

  /** @param service a name that all proxies of a service have in common; a loop then ends sooner */
  constructor(via: string | undefined, service?: string) {
    this.field = via === undefined ? 'cdn-loop' : 'via';
    this.name = via ?? `drainshift-${isToken(service) ? service : randomBytes(6).toString('hex')}`;
  }

  /** It has been here before, too often. */
  isLoop(head: RequestHead): boolean {
    const before = head.field(this.field);
    if (before === undefined) return false;
    const own = this.name.toLowerCase();
    const passes = before.split(',').filter((member) => this.nameIn(member).toLowerCase() === own).length;
    return passes > MAX_PASSES[this.field];
  }

  /** What the field says behind this proxy. */
  value(head: RequestHead): string {
    const before = head.field(this.field);
    const own = this.field === 'via' ? viaMember(head.httpVersion, this.name) : this.name;
    return before === undefined ? own : `${before}, ${own}`;
  }

  /** `1.1 name (comment)` of a Via, `name; parameters` of a CDN-Loop. */
  private nameIn(member: string): string {
    if (this.field === 'cdn-loop') return member.split(';', 1)[0]!.trim();
    return member.trim().split(/[ \t]+/, 2)[1] ?? '';
  }
}

/** A pseudonym may be any token; this much of it is not taken for a list or a parameter. */
function isToken(text: string | undefined): text is string {
  return text !== undefined && /^[\w.-]+$/.test(text);
}
