import { createEvent, Reconnecting, type BackOffOptions, type TypedEventTarget, type Writable } from './reconnecting';

/**
 * What a `ReconnectingEventSource` can do beside what an `EventSource` does. Method, headers, body and the rest are those of `fetch`, and
 * are read before each request.
 *
 * @example
 * const options: ReconnectingEventSourceOptions = { method: 'POST', body: '{"prompt":"hello"}', idleTimeoutMs: 60_000 };
 * const source = new ReconnectingEventSource('https://shop.example.com/completions', options);
 */
export interface ReconnectingEventSourceOptions extends BackOffOptions, Omit<RequestInit, 'signal'> {
  /**
   * Whether cookies are sent to other origins.
   * @default false
   */
  readonly withCredentials?: boolean;
  /**
   * Milliseconds without a byte of the server after which the stream counts as lost. Comments count as bytes.
   * @default never
   */
  readonly idleTimeoutMs?: number;
  /**
   * Whether to request again.
   * @default by method and response, as the table of docs/client.md has it
   * @param event that will be dispatched
   * @param tries waits since the last event
   */
  readonly reconnect?: (event: ReconnectingEventSourceErrorEvent, tries: number) => boolean | undefined;
  /**
   * What makes the requests: a place for a fresh login.
   * @default the global `fetch`
   */
  readonly fetch?: (url: string, init: RequestInit) => Promise<Response>;
}

/**
 * An `error` event with what is known of it.
 *
 * @example
 * const source = new ReconnectingEventSource('https://shop.example.com/orders');
 * source.onerror = ({ response, error }) => console.log(response?.status ?? error);
 */
export interface ReconnectingEventSourceErrorEvent extends Event {
  /** The response that ended, or that was not a stream. */
  readonly response?: Response;
  /** What `fetch` or the stream failed with. */
  readonly error?: unknown;
}

/**
 * The events of a `ReconnectingEventSource`; others have the names that the server gives them.
 *
 * @example
 * const listener = (event: ReconnectingEventSourceEventMap['message']) => console.log(event.lastEventId);
 * new ReconnectingEventSource('https://shop.example.com/orders').addEventListener('message', listener);
 */
export interface ReconnectingEventSourceEventMap {
  error: ReconnectingEventSourceErrorEvent;
  message: MessageEvent;
  open: Event;
}

// The types of its listeners.
// eslint-disable-next-line @typescript-eslint/no-unsafe-declaration-merging, @typescript-eslint/no-empty-object-type -- it only adds the types of the listeners to the class
export interface ReconnectingEventSource extends TypedEventTarget<ReconnectingEventSourceEventMap> {}

/**
 * An `EventSource` over `fetch`, with a method, headers and a body. Constructor, properties and events are those of `EventSource`, and
 * streams are read as the HTML standard has it (section 9.2).
 *
 * `error` is dispatched for each stream that ended. If it is requested again, `readyState` is then `CONNECTING`; at the end it is `CLOSED`.
 *
 * @example
 * const source = new ReconnectingEventSource('https://shop.example.com/orders', { headers: { authorization: 'Bearer abc' } });
 * source.onmessage = ({ data, lastEventId }) => console.log(lastEventId, data);
 * source.onerror = ({ response }) => {
 *   if (source.readyState === ReconnectingEventSource.CLOSED) console.log(`the end: ${response?.status}`);
 * };
 */
// eslint-disable-next-line @typescript-eslint/no-unsafe-declaration-merging -- with the types of its listeners
export class ReconnectingEventSource extends Reconnecting {
  static readonly CLOSED = 2;
  readonly CLOSED = 2;
  declare onerror: ((event: ReconnectingEventSourceErrorEvent) => unknown) | null;

  readonly url: string;
  readonly withCredentials: boolean;
  /** @internal */
  declare protected readonly _options: ReconnectingEventSourceOptions;
  #controller!: AbortController;
  #lastEventId = '';
  /** Milliseconds that the server asked for between two requests. */
  #retryMs = 0;

  /** @throws TypeError if the URL is none */
  constructor(url: string | URL, options: ReconnectingEventSourceOptions = {}) {
    super(options);
    this.withCredentials = !!options.withCredentials;
    // Resolved as `fetch` does it.
    this.url = new Request(url).url;
    void this._connect();
  }

  /** Ends the stream, without an event, and requests no more. */
  close(): void {
    (this as Writable<this>).readyState = 2;
    this._limit(-1);
    this._lose();
  }

  /** @internal */
  protected _lose(error?: unknown): void {
    this.#controller.abort(error);
  }

  /** @internal */
  // One request from its headers to its end: a part of it in a function of its own would be more bytes.
  // eslint-disable-next-line complexity -- see above: two kilobytes
  protected async _connect(): Promise<void> {
    const options = this._options;
    const { signal } = (this.#controller = new AbortController());
    this._limit();
    const headers = new Headers(options.headers);
    headers.append('accept', 'text/event-stream');
    // As UTF-8: a field has bytes.
    if (this.#lastEventId) headers.set('last-event-id', unescape(encodeURIComponent(this.#lastEventId)));
    let response: Response | undefined;
    let error: unknown;
    let after: string | null | undefined;
    // RFC 9110, 9.2.2: what may have done something is not done again, unless its server says so, or where to go on.
    let isAgain: unknown = /^get$/i.test(options.method ?? 'get');
    try {
      response = await (options.fetch ?? fetch)(this.url, {
        cache: 'no-store',
        credentials: this.withCredentials ? 'include' : undefined,
        ...options,
        headers,
        signal,
      });
      const { status } = response;
      if (this.readyState > 1) return;
      if (status === 200 && /^text\/event-stream *($|;)/i.test(response.headers.get('content-type')!))
        await this.#read(response);
      else isAgain = status > 399 && ((after = response.headers.get('retry-after')) || (status > 499 && isAgain));
    } catch (problem) {
      error = problem;
      isAgain ||= this.#lastEventId;
    }
    if (this.readyState > 1) return;
    this._lose();
    const askedMs = +after! * 1000 || Date.parse(after!) - Date.now() || 0;
    this._end(isAgain, createEvent('error', { response, error }), Math.max(this.#retryMs, askedMs));
  }

  /** HTML standard, 9.2.6. Resolves at the end of the stream. */
  #read(response: Response): Promise<void> {
    const { origin } = new URL(response.url || this.url);
    // Goes on from the last stream: browsers do so, too.
    let id = this.#lastEventId;
    let rest = '';
    let data = '';
    let type = '';
    let isAfterCr: boolean;
    const write = (text: string) => {
      this._limit();
      // A CR ends its line at once, and an LF at the start of the next chunk belongs to it.
      const lines = (rest + (isAfterCr ? text.replace(/^\n/, '') : text)).split(/\r\n?|\n/);
      isAfterCr = /\r$/.test(text);
      rest = lines.pop()!;
      for (const line of lines) {
        if (this.readyState > 1) return;
        const [, field, content] = /([^:]*):? ?([^]*)/.exec(line) as unknown as [string, string, string];
        if (field === 'data') data += `${content}\n`;
        if (field === 'event') type = content;
        if (field === 'id' && !/\0/.test(content)) id = content;
        if (field === 'retry' && /^\d+$/.test(content)) this.#retryMs = +content;
        if (line) continue;
        this.#lastEventId = id;
        if (data) {
          this._tries = 0;
          this.dispatchEvent(new MessageEvent(type || 'message', { data: data.slice(0, -1), origin, lastEventId: id }));
        }
        data = type = '';
      }
    };
    (this as Writable<this>).readyState = 1;
    this.dispatchEvent(new Event('open'));
    return response.body!.pipeThrough(new TextDecoderStream()).pipeTo(new WritableStream({ write }));
  }
}
