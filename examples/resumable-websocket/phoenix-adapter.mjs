// Moves the WebSockets of Phoenix channels (https://hexdocs.pm/phoenix/writing_a_channels_client.html): a message is
// [join_ref, ref, topic, event, payload]. The client joins topics with phx_join, and gets phx_reply with the same refs.
const MAX_TOPICS = 100;

const parse = ({ isText, payload }) => {
  if (!isText) return [];
  try {
    const message = JSON.parse(payload.toString());
    return Array.isArray(message) ? message : [];
  } catch {
    return [];
  }
};

class PhoenixConnection {
  /** The join of each topic, as the client said it. */
  joins = new Map();
  /** Refs of the client without a reply: a push may be one that must not be said twice. */
  open = new Set();

  constructor(url) {
    this.url = url;
  }

  /** For the next process of the proxy, in a restart. */
  pack() {
    return { joins: [...this.joins], open: [...this.open] };
  }

  static unpack({ joins, open }, url) {
    return Object.assign(new PhoenixConnection(url), { joins: new Map(joins), open: new Set(open) });
  }

  get rejection() {
    return this.joins.size > MAX_TOPICS ? `It has joined over ${MAX_TOPICS} topics` : undefined;
  }

  get isSettled() {
    return this.open.size === 0;
  }

  fromClient(message) {
    const [joinRef, ref, topic, event] = parse(message);
    if (event === 'phx_join') this.joins.set(topic, { joinRef, text: message.payload.toString() });
    if (event === 'phx_leave') this.joins.delete(topic);
    if (typeof ref === 'string') this.open.add(ref);
  }

  fromBackend(message) {
    const [, ref, topic, event] = parse(message);
    if (event === 'phx_reply') this.open.delete(ref);
    if (event === 'phx_close' || event === 'phx_error') this.joins.delete(topic);
  }

  replay() {
    const waiting = new Set(this.joins.keys());
    return {
      url: this.url,
      first: [...this.joins.values()].map(({ text }) => ({ isText: true, payload: Buffer.from(text) })),
      isJoined: waiting.size === 0,
      fromBackend: (message) => {
        const [, , topic, event, payload] = parse(message);
        if (event !== 'phx_reply' || !waiting.has(topic)) return { pass: [message] };
        // The client has had its reply. What the channel says now is what it would say to a client that joins again.
        if (payload?.status !== 'ok') return { end: { rejected: `The new backend did not let it join '${topic}'` } };
        waiting.delete(topic);
        return waiting.size === 0 ? { end: 'joined' } : {};
      },
    };
  }
}

export const adapter = {
  name: 'phoenix',
  recognizes: ({ url }) => /\/websocket\?(.*&)?vsn=2\.0\.0(&|$)/.test(url),
  follow: ({ url }) => new PhoenixConnection(url),
  unpack: (state, { url }) => PhoenixConnection.unpack(state, url),
};
