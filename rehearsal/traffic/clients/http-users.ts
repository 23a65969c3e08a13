import { createHash, randomBytes, randomInt } from 'node:crypto';
import type { SmokeRequest } from '../../../core/plan/plan';
import { HttpChecker, parseJson, findSide } from './http-checker';
import { HttpRequest, HttpResponse } from '../transport/transport';

/** What a user does next; each call is one request with its response. It is told when it was due (`performance.now()`). */
export type Act = (dueMs: number) => Promise<void>;

const JSON_BODY = { 'content-type': 'application/json' };
const MAX_UPLOAD = 64 * 1024;
/** After so many items a user logs in anew, so that carts stay small. */
const CART_SIZE = 20;

/** Reads the front page of the default backend. */
export function frontPageReader(checker: HttpChecker): Act {
  const isRight = (response: HttpResponse) =>
    findSide(response) !== undefined && parseJson(response)?.side === findSide(response);
  return async (dueMs) => {
    const expected = { status: 200, use: 'reads', what: "the responding side's name", isRight } as const;
    await checker.ask({ method: 'GET', path: '/' }, expected, dueMs);
  };
}

/** Reads the given pages in turn. */
export function pageReader(checker: HttpChecker, pages: readonly SmokeRequest[]): Act {
  let turn = 0;
  return async (dueMs) => {
    const page = pages[turn++ % pages.length];
    if (!page) return;
    await checker.ask({ method: 'GET', path: page.path }, { status: page.expectedStatus, use: 'reads' }, dueMs);
  };
}

/** Uploads random bodies, each second one without a length. */
export function uploader(checker: HttpChecker): Act {
  let turn = 0;
  return async (dueMs) => {
    const body = randomBytes(randomInt(MAX_UPLOAD + 1));
    const sha256 = createHash('sha256').update(body).digest('hex');
    await checker.ask(
      { method: 'POST', path: '/echo', body, chunked: turn++ % 2 === 1 },
      {
        status: 200,
        use: 'uploads',
        what: `${body.length} bytes with their sha256`,
        isRight: (response) => parseJson(response)?.length === body.length && parseJson(response)?.sha256 === sha256,
      },
      dueMs,
    );
  };
}

/** Logs in, then fills a cart and reads it, and wants to see every item exactly once and in order, each time. */
export class Shopper {
  private items: string[] = [];
  private isLoggedIn = false;
  private serial = 0;
  private dueMs = 0;

  /** @param checker With a jar: the session is a cookie. */
  constructor(
    private readonly checker: HttpChecker,
    private readonly name: string,
  ) {}

  /** One at a time: each cart follows from the one before. */
  readonly act: Act = async (dueMs) => {
    this.dueMs = dueMs;
    if (!this.isLoggedIn) return this.login();
    if (this.items.length >= CART_SIZE) return this.leave();
    return this.serial % 3 === 0 ? this.look() : this.add();
  };

  private async login(): Promise<void> {
    const isRight = (login: HttpResponse) => typeof parseJson(login)?.session === 'string';
    const response = await this.checker.ask(
      { method: 'POST', path: '/login' },
      { status: 200, use: 'sessions', what: 'a session', isRight },
      this.dueMs,
    );
    this.isLoggedIn = response !== undefined;
  }

  private async look(): Promise<void> {
    this.serial += 1;
    await this.expectCart({ method: 'GET', path: '/cart' }, this.items);
  }

  private async add(): Promise<void> {
    const item = `${this.name}-${++this.serial}`;
    const body = Buffer.from(JSON.stringify({ item }));
    await this.expectCart({ method: 'POST', path: '/cart', headers: JSON_BODY, body }, [...this.items, item]);
  }

  /** A last look, then the next visit begins; the load balancer's cookies stay. */
  private async leave(): Promise<void> {
    await this.look();
    this.startOver();
  }

  private async expectCart(request: HttpRequest, items: string[]): Promise<void> {
    const isRight = (cart: HttpResponse) => hasItems(cart, items);
    const expected = { status: 200, use: 'sessions', what: `all ${items.length} items once`, isRight } as const;
    const response = await this.checker.ask(request, expected, this.dueMs);
    // What a wrong cart holds is unknown, and one failure is to be counted once.
    if (response === undefined) return this.startOver();
    this.items = items;
  }

  private startOver(): void {
    this.items = [];
    this.isLoggedIn = false;
  }
}

function hasItems(cart: HttpResponse, items: readonly string[]): boolean {
  return JSON.stringify(parseJson(cart)?.items) === JSON.stringify(items);
}
