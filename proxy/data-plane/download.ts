import type { IncomingMessage } from 'node:http';
import { trailerFields } from './fields';
import type { ClientResponse } from './head';
import type { Safely } from './safely';

/** Sends the body of an answer on. `progress` is told when the client is waited for, and when it took something. */
export function relayDownload(
  upstream: IncomingMessage,
  response: ClientResponse,
  { safely, progress }: { readonly safely: Safely; readonly progress: () => void },
): void {
  upstream.on('pause', progress);
  response.on('drain', progress);
  upstream.pipe(response, { end: false });
  const end = safely(() => {
    const trailers = trailerFields(upstream.trailers);
    if (Object.keys(trailers).length > 0) response.addTrailers(trailers);
    response.end();
  });
  upstream.once('end', end);
}
