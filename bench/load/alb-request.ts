/** By path, what the upstream responds to the requests below: each has a body of another length. */
export const ALB_BODIES: Readonly<Record<string, string>> = {
  '/api/cart': '{"items":2}\n',
  '/api/products?page=2&sort=price': '{"products":[]}\n',
  '/api/orders/8123/status': '{"status":"on its way"}\n',
  '/static/app.3f2a9c.js': 'export default () => undefined;\n',
};

/** A request as far as its trace id, and what follows that. */
export interface AlbRequest {
  readonly before: string;
  readonly behind: string;
}

/** Of the part that differs in every request: 24 digits, hexadecimal. */
export const TRACE_DIGITS = 24;

/**
 * What an Application Load Balancer passes on of a browser, 15 fields and about 630 bytes: one a path. No two requests have the
 * same trace id.
 *
 * @see https://docs.aws.amazon.com/elasticloadbalancing/latest/application/load-balancer-request-tracing.html
 */
export const ALB_REQUESTS: readonly AlbRequest[] = Object.keys(ALB_BODIES).map((path) => ({
  before:
    `GET ${path} HTTP/1.1\r\n` +
    'X-Forwarded-For: 203.0.113.77\r\n' +
    'X-Forwarded-Proto: https\r\n' +
    'X-Forwarded-Port: 443\r\n' +
    'Host: shop.example.com\r\n' +
    'X-Amzn-Trace-Id: Root=1-69256c3f-',
  behind:
    '\r\n' +
    'sec-ch-ua: "Chromium";v="142", "Google Chrome";v="142"\r\n' +
    'sec-ch-ua-mobile: ?0\r\n' +
    'sec-ch-ua-platform: "Windows"\r\n' +
    'user-agent: Mozilla/5.0 (Windows NT 10.0; Win64; x64) AppleWebKit/537.36 Chrome/142.0.0.0 Safari/537.36\r\n' +
    'accept: */*\r\n' +
    'sec-fetch-site: same-origin\r\n' +
    'sec-fetch-mode: cors\r\n' +
    'accept-encoding: gzip, deflate, br, zstd\r\n' +
    'accept-language: en-US,en;q=0.9\r\n' +
    'cookie: session=s%3A5b1f0c2e9d7a4f36.Q2hyb21l; currency=EUR; consent=essential\r\n\r\n',
}));
