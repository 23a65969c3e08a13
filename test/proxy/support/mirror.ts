import type http from 'node:http';

/** Responds with what it received. */
export const mirror: http.RequestListener = (request, response) => {
  const chunks: Buffer[] = [];
  request.on('data', (chunk: Buffer) => chunks.push(chunk));
  request.on('end', () => {
    const body = Buffer.concat(chunks).toString();
    const { method, url, headers, trailers } = request;
    response.setHeader('content-type', 'application/json');
    response.end(JSON.stringify({ method, url, headers, trailers, body }));
  });
};

export interface Mirrored {
  method: string;
  url: string;
  headers: Record<string, string | undefined>;
  trailers: Record<string, string>;
  body: string;
}
