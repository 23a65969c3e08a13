/** What is used of a package without declarations of its own. */
declare module 'express' {
  import type { IncomingMessage, ServerResponse } from 'node:http';

  export interface Request extends IncomingMessage {
    readonly body: unknown;
    readonly hostname: string;
    readonly ip: string;
    readonly protocol: string;
    readonly query: Readonly<Record<string, string | undefined>>;
    get(name: string): string | undefined;
  }

  export interface Response extends ServerResponse {
    cookie(name: string, value: string, options?: { readonly httpOnly?: boolean; readonly path?: string }): this;
    json(value: unknown): this;
    redirect(status: number, to: string): void;
    send(body: string): this;
    set(fields: Readonly<Record<string, string>>): this;
    status(code: number): this;
  }

  export type Handler = (request: Request, response: Response, next: (error?: unknown) => void) => unknown;

  export interface Express {
    (request: IncomingMessage, response: ServerResponse): void;
    get(path: string, ...handlers: readonly Handler[]): this;
    post(path: string, ...handlers: readonly Handler[]): this;
    put(path: string, ...handlers: readonly Handler[]): this;
    set(setting: string, value: unknown): this;
    use(path: string, handler: Handler): this;
  }

  function express(): Express;
  namespace express {
    function json(options?: { readonly limit?: string }): Handler;
    function urlencoded(options: { readonly extended: boolean }): Handler;
    function static(folder: string): Handler;
  }
  export default express;
}
