import { createHash, randomUUID } from 'node:crypto';
import { IncomingMessage } from 'node:http';
import { Store } from './store-state';

export interface ShopResponse {
  readonly status: number;
  readonly headers?: Readonly<Record<string, string>>;
  readonly body: unknown;
}

const SESSION_COOKIE = 'shop_session';

const MAX_BODY = 64 * 1024;
const NO_SESSION: ShopResponse = { status: 401, body: { error: 'no session' } };

/** `POST /login`: a session that both sides know. */
export async function login(store: Store): Promise<ShopResponse> {
  const session = randomUUID();
  await store.setOnce(`session:${session}`, 'open');
  return {
    status: 200,
    headers: { 'set-cookie': `${SESSION_COOKIE}=${session}; Path=/; HttpOnly; Secure` },
    body: { session },
  };
}

/** `GET /cart`: everything that was added, in order. */
export async function showCart(request: IncomingMessage, store: Store): Promise<ShopResponse> {
  const session = await findSession(request, store);
  if (session === undefined) return NO_SESSION;
  return { status: 200, body: { items: await store.list(`cart:${session}`) } };
}

/** `POST /cart` `{"item":"…"}`: adds it once more each time it is asked, and responds to the whole cart. */
export async function addToCart(request: IncomingMessage, store: Store): Promise<ShopResponse> {
  const body = await readBody(request);
  const session = await findSession(request, store);
  if (session === undefined) return NO_SESSION;
  const item = body === undefined ? undefined : readItem(body);
  if (item === undefined) return { status: 400, body: { error: "'item' must be a string" } };
  return { status: 200, body: { items: await store.append(`cart:${session}`, item) } };
}

/** `POST /echo`: length and sha256 of a body of up to 64 KiB. */
export async function echo(request: IncomingMessage): Promise<ShopResponse> {
  const body = await readBody(request);
  if (body === undefined) return { status: 413, body: { error: `body must be at most ${MAX_BODY} bytes` } };
  return { status: 200, body: { length: body.length, sha256: createHash('sha256').update(body).digest('hex') } };
}

async function findSession(request: IncomingMessage, store: Store): Promise<string | undefined> {
  const match = new RegExp(`(?:^|; *)${SESSION_COOKIE}=([^;]+)`).exec(request.headers.cookie ?? '');
  const session = match?.[1];
  if (session === undefined) return undefined;
  return (await store.get(`session:${session}`)) === null ? undefined : session;
}

function readItem(body: Buffer): string | undefined {
  try {
    const { item } = JSON.parse(body.toString('utf8')) as { item?: unknown };
    return typeof item === 'string' ? item : undefined;
  } catch {
    return undefined;
  }
}

/** The whole body, read to its end in any case; undefined when it is too large. */
async function readBody(request: IncomingMessage): Promise<Buffer | undefined> {
  const chunks: Buffer[] = [];
  let length = 0;
  for await (const chunk of request as AsyncIterable<Buffer>) {
    length += chunk.length;
    if (length <= MAX_BODY) chunks.push(chunk);
  }
  return length <= MAX_BODY ? Buffer.concat(chunks) : undefined;
}
