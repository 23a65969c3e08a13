import type { ClientRequest as UpstreamRequest } from 'node:http';
import type { Readable } from 'node:stream';
import { Framing, trailerFields } from './fields';
import type { ClientRequest } from './head';
import type { Safely } from './safely';

/** Sends the body of a request on. `progress` is told of each piece, and of the upstream's asking for the next. */
export function relayUpload(
  request: ClientRequest,
  upstream: UpstreamRequest,
  framing: Framing,
  { safely, progress }: { readonly safely: Safely; readonly progress: () => void },
): void {
  if (framing === 'none') return void upstream.end();
  upstream.flushHeaders();
  const body: Readable = request;
  body.on('data', progress);
  upstream.on('drain', progress);
  body.pipe(upstream, { end: false });
  body.once(
    'end',
    safely(() => {
      if (framing === 'chunked') upstream.addTrailers(trailerFields(request.trailers));
      upstream.end();
    }),
  );
}
