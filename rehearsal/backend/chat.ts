import { IncomingMessage, ServerResponse } from 'node:http';
import { text } from 'node:stream/consumers';
import { setTimeout as delay } from 'node:timers/promises';

const PARTS = 16;
const PART_MS = 50;

/** What ends a response. Nothing else does: a stream that ends before it was cut, whatever HTTP says. */
export const DONE = '[DONE]';

/** One part of a response. */
export interface ResponsePart {
  /** From 1. */
  readonly part: number;
  readonly parts: number;
  /** The question that it responds. */
  readonly prompt: string;
}

/** `POST /chat`: responds to the body in parts, as the events of a stream, as the APIs of language models do. */
export async function chat(request: IncomingMessage, response: ServerResponse): Promise<void> {
  const prompt = await text(request);
  response.writeHead(200, { 'content-type': 'text/event-stream', 'cache-control': 'no-cache' });
  for (let part = 1; part <= PARTS && !response.destroyed; part += 1) {
    response.write(`data: ${JSON.stringify({ part, parts: PARTS, prompt } satisfies ResponsePart)}\n\n`);
    await delay(PART_MS);
  }
  response.end(`data: ${DONE}\n\n`);
}
