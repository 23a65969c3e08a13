import { REDACTED_FIELDS } from '../../capture/redaction';
import { MIRROR_METHODS } from '../../mirror/is-mirrored';
import { STORE_URL_PATTERN, STORE_URL_RULE } from '../../capture/store-url';
import { MOVES } from '../../moves/moves';
import { HOST_PORT_PATTERN, HOST_PORT_RULE } from '../../validation/host-port';
import { UPSTREAM_URL_PATTERN, UPSTREAM_URL_RULE } from '../../validation/upstream-url';
import type {
  BooleanField,
  ChoiceField,
  IntegerField,
  ListField,
  NumberField,
  TextField,
  TokensField,
} from '../../validation/fields';

/** What a setting has beside its value. */
interface SettingTraits {
  readonly group: SettingGroup;
  /** What stands for its value in the usage: `URL`, `FILE`. @default - its choices, or the unit of its number */
  readonly form?: string;
  /** Where the default is no fixed value: what it is, in words. */
  readonly defaultRule?: string;
  /** The one whose value it has unless it is given. */
  readonly follows?: string;
  /** Whether the workers of one proxy share it out. */
  readonly isShared?: boolean;
  /** What docs/proxy.md says beside the sentence, in Markdown. */
  readonly more?: string;
}

/** A text that a variable of the environment alone may hold, and that is never shown. */
interface SecretField {
  readonly kind: 'secret';
  readonly minLength?: number;
  readonly sentence: string;
  readonly unit?: string;
}

export type SettingField = SettingTraits &
  (IntegerField | NumberField | BooleanField | ChoiceField | TextField | TokensField | ListField | SecretField);

/** The tables of docs/proxy.md, in their order. */
export const SETTING_GROUPS = [
  'general',
  'timeouts',
  'limits',
  'protocols',
  'moves',
  'capture',
  'mirror',
  'surroundings',
] as const;
export type SettingGroup = (typeof SETTING_GROUPS)[number];

const DAY = 86_400;
/** Shorter times are of use to a test alone. */
const MIN_SECONDS = 0.01;

/** What a profile of connections needs, in seconds. */
export const GRACE_PRESETS = { 'short-lived': 30, mixed: 120, 'websocket-heavy': 300 } as const;

const ANY_TEXT = '^[^\\0]*$';
const FILE = { kind: 'text', form: 'FILE', pattern: '^[^\\0]+$', rule: 'the path of a readable file' } as const;
const HOST_NAME = { kind: 'text', form: 'NAME', pattern: '^[A-Za-z0-9_.-]{1,254}$', rule: 'a host name' } as const;
const UPSTREAM = { kind: 'text', form: 'URL', pattern: UPSTREAM_URL_PATTERN, rule: UPSTREAM_URL_RULE } as const;
const ADDRESS = { kind: 'text', form: 'HOST:PORT', pattern: HOST_PORT_PATTERN, rule: HOST_PORT_RULE } as const;

/** `/path`, `name`, or `name=value`. */
const REQUEST_PATTERN = "^(/[^\\s,]*|[!#$%&'*+\\-.^_`|~0-9a-z]+(=[^,]*)?)$";
const REQUEST_PATTERN_RULE = 'paths with * for anything, names of header fields, or NAME=VALUE with * for anything';

const GENERAL = {
  upstream: { ...UPSTREAM, group: 'general', sentence: 'The backend. The only setting that must be given.' },
  other_upstream: {
    ...UPSTREAM,
    group: 'general',
    isOptional: true,
    sentence: "The other side's backend; without it there is no retarget.",
  },
  listen: { ...ADDRESS, group: 'general', default: '0.0.0.0:8443', sentence: 'The data port.' },
  workers: {
    kind: 'integer',
    group: 'general',
    form: 'COUNT',
    min: 1,
    max: 64,
    default: 1,
    sentence: 'How many processes share the data port.',
  },
  admin: {
    ...ADDRESS,
    group: 'general',
    isOptional: true,
    defaultRule: 'off',
    sentence: 'The admin port, another one than the data port; it needs a secret.',
  },
  admin_secret: {
    kind: 'secret',
    group: 'general',
    minLength: 16,
    sentence: 'The key of the admin API, 16 characters or more. Workers do not get it.',
  },
  admin_secret_file: {
    ...FILE,
    group: 'general',
    isOptional: true,
    sentence:
      'A file that holds the key of the admin API, and on a second line the key before it, if there is one; read again while the proxy runs.',
    more: 'As a flag it comes before `DRAINSHIFT_ADMIN_SECRET`, else after it.',
  },
  admin_secret_arn: {
    kind: 'text',
    group: 'general',
    form: 'ARN',
    pattern: '^arn:aws[\\w-]*:secretsmanager:[\\w-]+:\\d{12}:secret:.+$',
    rule: 'the ARN of a secret of Secrets Manager',
    isOptional: true,
    sentence:
      'The secret of AWS Secrets Manager whose value is the key of the admin API; its current and its previous version are read again while the proxy runs.',
    more: 'The constructs set it.',
  },
  side: {
    kind: 'choice',
    group: 'general',
    values: ['source', 'target'],
    default: 'source',
    sentence: 'Which backend this is: for logs, metrics and health.',
  },
  tls: {
    kind: 'choice',
    group: 'general',
    values: ['off', 'self-signed'],
    default: 'off',
    sentence: 'TLS on the data port; self-signed: with a certificate made at start.',
  },
  tls_certificate_file: {
    ...FILE,
    group: 'general',
    isOptional: true,
    sentence: 'Your own certificate with its chain behind it, PEM.',
  },
  tls_key_file: {
    ...FILE,
    group: 'general',
    isOptional: true,
    sentence: 'The key of that certificate, PEM without a passphrase.',
  },
  upstream_server_name: {
    ...HOST_NAME,
    group: 'general',
    isOptional: true,
    defaultRule: "the upstream's host",
    sentence: 'The name that the certificate of the upstream must carry.',
  },
  other_upstream_server_name: {
    ...HOST_NAME,
    group: 'general',
    isOptional: true,
    defaultRule: "the other upstream's host",
    sentence: 'The name that the certificate of the other upstream must carry.',
  },
  upstream_verify_certificate: {
    kind: 'boolean',
    group: 'general',
    default: true,
    sentence: 'Whether the certificates of both upstreams are verified.',
  },
  upstream_authorities: {
    kind: 'text',
    group: 'general',
    form: 'PEM',
    pattern: '-----BEGIN ',
    rule: 'PEM with certificates',
    isOptional: true,
    defaultRule: "Node's own",
    sentence: 'The authorities that both upstreams are checked against, and no others, as PEM.',
    more: 'The text itself, as a secret of ECS puts it into the environment.',
  },
  upstream_authorities_file: {
    ...FILE,
    group: 'general',
    isOptional: true,
    sentence: 'The same in a file; not both.',
  },
  upstream_local_address: {
    kind: 'text',
    group: 'general',
    form: 'ADDRESS',
    pattern: '^[^\\s/]+$',
    rule: 'an IP address of one machine',
    isOptional: true,
    defaultRule: "the system's choice",
    sentence:
      "The address of this machine that connections to upstreams of its family (IPv4, IPv6) come from, as nginx's proxy_bind.",
  },
  grace_period_seconds: {
    kind: 'number',
    group: 'general',
    min: 0,
    max: DAY,
    default: GRACE_PRESETS.mixed,
    defaultRule: '120, or what fits into `stop_timeout_seconds`: 100',
    words: GRACE_PRESETS,
    unit: 's',
    sentence: 'After SIGTERM every connection may finish by itself for this long.',
  },
  graceful_shutdown_timeout_seconds: {
    kind: 'number',
    group: 'general',
    min: 0,
    max: DAY,
    default: 10,
    unit: 's',
    sentence: 'For closing what is left after the grace period.',
  },
  propagation_seconds: {
    kind: 'number',
    group: 'general',
    min: 0,
    max: DAY,
    default: 5,
    unit: 's',
    sentence: 'After SIGTERM new connections are still accepted for this long.',
  },
  stop_timeout_seconds: {
    kind: 'number',
    group: 'general',
    min: 0,
    max: DAY,
    default: 120,
    unit: 's',
    sentence: 'What the orchestrator grants from SIGTERM to SIGKILL (stopTimeout of ECS).',
    more: 'See [SIGTERM](#sigterm).',
  },
  max_generations: {
    kind: 'integer',
    group: 'general',
    form: 'COUNT',
    min: 2,
    max: 16,
    default: 3,
    sentence:
      'How many generations of the proxy may live on this host; a restart that would start one more is rejected.',
    more: 'See [Hot restart](#hot-restart).',
  },
  restart_timeout_seconds: {
    kind: 'number',
    group: 'general',
    min: 1,
    max: 600,
    default: 30,
    unit: 's',
    sentence: 'A new generation must have proved itself within this; else the old one goes on.',
  },
  tls_handover: {
    kind: 'choice',
    group: 'general',
    values: ['auto', 'off'],
    default: 'auto',
    sentence:
      'Whether connections of TLS 1.3 go over to the next generation in a restart, with their keys; off: their keys stay in their own.',
    more: 'In FIPS mode it is off. See [Hot restart](#hot-restart).',
  },
  pump_seconds: {
    kind: 'number',
    group: 'general',
    min: 0,
    max: DAY,
    default: 3_600,
    unit: 's',
    sentence:
      'For how long an old generation passes on the bytes of connections that it cannot hand over, as those with TLS 1.2; then they are closed in order. 0: they end in their own generation.',
    more: 'See [what is pumped](#connections-that-are-pumped).',
  },
  close_rate_per_second: {
    kind: 'integer',
    group: 'general',
    form: 'COUNT',
    min: 1,
    max: 10_000,
    default: 20,
    unit: 'connections per second',
    sentence: 'How many connections a drain closes in a second.',
  },
  forwarded_for: {
    kind: 'choice',
    group: 'general',
    values: ['append', 'preserve'],
    default: 'append',
    sentence:
      'What is done with an X-Forwarded-For of the request: append the address that connected here to it, or preserve it.',
    more: 'See [what your application sees](application.md).',
  },
  smoke_test_ports: {
    kind: 'tokens',
    group: 'general',
    form: 'PORTS',
    pattern: '^([1-9][0-9]{0,3}|[1-5][0-9]{4}|6[0-4][0-9]{3}|65[0-4][0-9]{2}|655[0-2][0-9]|6553[0-5])$',
    rule: 'ports from 1 to 65535',
    allowsNumber: true,
    defaultRule: 'none',
    sentence:
      "Ports of the load balancer's listeners that lead to one side alone, a list, or a text with commas; a cutover does not judge a side by requests with such an X-Forwarded-Port.",
    more: 'The constructs set it. See [requests of testers](#requests-of-testers).',
  },
  via: {
    kind: 'text',
    group: 'general',
    form: 'NAME',
    // A pseudonym of RFC 9110 section 7.6.3 that no other reader takes for a host with a port.
    pattern: '^[\\w.-]{1,64}$',
    rule: 'a name of letters, digits, dots, - and _, of at most 64',
    isOptional: true,
    defaultRule: 'none',
    sentence:
      'The name of this deployment in Via, of requests and of the responses that are passed on; a request that has it already is a loop and gets 508.',
    more: 'Interim responses have it, too. Without a name, loops are recognized by `CDN-Loop` after some rounds, under the `service_name` if there is one.',
  },
  proxy_protocol: {
    kind: 'choice',
    group: 'general',
    values: ['off', 'required'],
    default: 'off',
    sentence: 'Whether every connection to the data port starts with a PROXY header, which names the client.',
    more: 'See [PROXY headers](application.md#proxy-protocol).',
  },
  access_log: {
    kind: 'choice',
    group: 'general',
    values: ['off', 'errors', 'on'],
    default: 'errors',
    sentence: 'Which requests get a line in the log; errors: responses of 500 and more, and failures of the upstream.',
    more: 'See [Logs](#logs).',
  },
  log_level: {
    kind: 'choice',
    group: 'general',
    values: ['trace', 'debug', 'info', 'warn', 'error', 'fatal', 'silent'],
    default: 'info',
    sentence: 'How much is logged.',
  },
} as const satisfies Record<string, SettingField>;

const seconds = <Default extends number, Min extends number>(fallback: Default, min: Min) =>
  ({ kind: 'number', group: 'timeouts', min, max: DAY, default: fallback, unit: 's' }) as const;

export const TIMEOUT_SETTINGS = {
  client_idle_seconds: {
    ...seconds(75, MIN_SECONDS),
    sentence:
      "A kept-alive client connection without a request is closed after this; keep it over the load balancer's idle timeout.",
  },
  head_seconds: {
    ...seconds(15, MIN_SECONDS),
    sentence: 'A whole request head must arrive within this; else 408.',
  },
  body_idle_seconds: {
    ...seconds(60, MIN_SECONDS),
    sentence: 'A client that neither sends more of its upload nor reads more of its response is given up after this.',
  },
  connect_seconds: {
    ...seconds(10, MIN_SECONDS),
    sentence: 'A connection to the upstream must be made within this; else 504.',
  },
  first_byte_seconds: {
    // An Application Load Balancer gives up after 60 s, unless it is told otherwise.
    ...seconds(50, MIN_SECONDS),
    follows: 'upstream_idle_seconds',
    sentence: 'From a request that was sent whole to the head of its response; an interim response restarts it; 504.',
    more: "Keep it under the load balancer's idle timeout, or the request is not counted.",
  },
  upstream_idle_seconds: {
    ...seconds(50, MIN_SECONDS),
    sentence:
      'No byte from the upstream within its response for this long: the client is reset; a request that it does not read: 504.',
  },
  stream_idle_seconds: {
    ...seconds(0, 0),
    sentence: 'A WebSocket or event stream without a byte either way is cut after this; 0: never.',
    more: 'A WebSocket of which one end reads nothing of what waits for it is cut after `upstream_idle_seconds`, and so is one that is silent with a single end left.',
  },
  upstream_ping_seconds: {
    // What a gRPC server must be expected to bear (`MinTime` of grpc-go, and of C-core), and not a moment less.
    ...seconds(300, 0),
    sentence:
      'An HTTP/2 connection to the upstream that owes responses and has been silent for this long gets one ping; 0: never.',
    more: 'No response within `connect_seconds` ends it. gRPC servers close connections that are pinged more often than every 5 minutes; after `too_many_pings` the time is doubled for that upstream.',
  },
  pool_idle_seconds: {
    // Shorter than the 5 s of a server of Node.js.
    ...seconds(4, MIN_SECONDS),
    sentence:
      "How long a connection to the upstream is kept for the next request; keep it under the upstream's own idle timeout.",
  },
  upstream_age_seconds: {
    ...seconds(60, 0),
    sentence:
      'A connection to an upstream that is given by a name gets no further request after this, less up to a fifth by chance; 0: never.',
    more: "See [the upstream's name](#the-upstreams-name).",
  },
} as const satisfies Record<string, SettingField>;

const count = <Default extends number, Min extends number, Max extends number>(
  fallback: Default,
  min: Min,
  max: Max,
  unit: string,
) => ({ kind: 'integer', group: 'limits', min, max, default: fallback, unit }) as const;

export const LIMIT_SETTINGS = {
  request_line_bytes: {
    // What an Application Load Balancer lets through: rejecting it here would lose a request that came this far.
    ...count(16_384, 256, 1_048_576, 'bytes'),
    sentence: 'The longest request line; a longer one gets 414.',
    more: 'As much as an Application Load Balancer passes.',
  },
  field_bytes: {
    ...count(65_536, 1_024, 1_048_576, 'bytes'),
    sentence: 'All header fields of a request together; more get 431.',
    more: 'As much as an Application Load Balancer passes.',
  },
  field_lines: {
    // Servers take about 100 by default; some room for what load balancers add.
    ...count(200, 10, 10_000, 'lines'),
    sentence: 'The header lines of a request; more get 431.',
    more: 'Most servers take about 100.',
  },
  client_connections: {
    // A WebSocket needs two file descriptors, and a container has 65,535.
    ...count(30_000, 1, 1_000_000, 'connections'),
    isShared: true,
    sentence: 'The connections of clients; further ones get 503 with Retry-After and are closed.',
    more: '256 get it at a time, the first are cut for further ones. Fewer where [the file limit](#open-files) is lower.',
  },
  upstream_connections: {
    // Linux has 28,232 ports for the connections to one address.
    ...count(28_000, 1, 1_000_000, 'connections'),
    isShared: true,
    sentence: 'The connections to one upstream; requests beyond wait.',
    more: 'Linux has 28,232 ports for the connections to one address.',
  },
  idle_upstream_connections: {
    ...count(1_024, 0, 100_000, 'connections'),
    isShared: true,
    sentence: 'The connections to one upstream that are kept for the next request.',
  },
  waiting_requests: {
    ...count(1_024, 0, 100_000, 'requests'),
    isShared: true,
    sentence: 'The requests that wait for a connection to one upstream; further ones get 503 with Retry-After.',
  },
  concurrent_streams: {
    ...count(128, 1, 10_000, 'streams'),
    sentence: 'The streams of one HTTP/2 connection.',
  },
  memory_bytes: {
    ...count(0, 0, 2 ** 50, 'bytes'),
    defaultRule: '0: half of what the container or the machine has',
    sentence: 'What the connections of all clients may hold together; 0: half of what there is.',
    more: 'See [Memory](#memory).',
  },
  head_bytes_per_second: {
    ...count(100, 0, 1_000_000, 'bytes per second'),
    sentence: 'What a client must send of a request head, once that takes over 5 s, or it gets 408; 0: no minimum.',
  },
  upload_bytes_per_second: {
    // What ASP.NET Core's Kestrel asks for (MinRequestBodyDataRate, MinResponseDataRate).
    ...count(240, 0, 1_000_000, 'bytes per second'),
    sentence:
      'What a client must send of an upload that is waited for, over body_idle_seconds of waiting, or it gets 408; 0: no minimum.',
  },
  read_bytes_per_second: {
    ...count(240, 0, 1_000_000, 'bytes per second'),
    sentence:
      'What a client must read of a response that waits for it, over body_idle_seconds of waiting, or it is reset; 0: no minimum.',
    more: 'WebSockets, event streams and other streams have none.',
  },
} as const satisfies Record<string, SettingField>;

const SETUP_MESSAGES = {
  kind: 'text',
  allowsNumber: true,
  // A count, or a JSON pointer (RFC 6901) and a value.
  pattern: '^(\\d{1,3}|(/([^=~]|~[01])*)?=.*)$',
  rule: 'how many (2), or a JSON pointer and its value (/type=join)',
} as const;

/** A protocol as its user describes it. */
export const MOVE_RULE_FIELDS = {
  name: {
    kind: 'text',
    pattern: '^[\\w.-]{1,64}$',
    rule: 'a name of letters, digits, dots, - and _, of at most 64',
    sentence: 'Its name.',
  },
  path: {
    kind: 'text',
    pattern: '^/[^?#\\s]*$',
    rule: 'a path without a query',
    isOptional: true,
    sentence: 'The path of its handshake; any, unless it is given.',
  },
  subprotocol: {
    kind: 'text',
    pattern: "^[!#$%&'*+\\-.^_`|~0-9A-Za-z]+$",
    rule: 'a token',
    isOptional: true,
    sentence: 'The subprotocol that the backend chose; any or none, unless it is given.',
  },
  remember: {
    ...SETUP_MESSAGES,
    sentence: 'The messages of the client that are said again: the first ones, or those that match.',
  },
  swallow: {
    ...SETUP_MESSAGES,
    sentence:
      'The messages of the new backend that the client has had: the first ones, or one that matches for each that is said again.',
  },
} as const;

const MOVE_SETTINGS = {
  moves: {
    kind: 'choice',
    group: 'moves',
    values: MOVES,
    default: 'resumable',
    sentence:
      'Which live connections move to the other backend while their client stays: those that their application can resume, all that can be moved, or none.',
    more: 'See [moves](#moves).',
  },
  move_timeout_seconds: {
    kind: 'number',
    group: 'moves',
    min: MIN_SECONDS,
    max: 600,
    default: 5,
    unit: 's',
    sentence:
      'How long each part of a move may take: to the end of the message that is under way, to the end of the old backend, to the response of the new one.',
  },
  move_concurrency: {
    kind: 'integer',
    group: 'moves',
    form: 'COUNT',
    min: 1,
    max: 10_000,
    default: 64,
    unit: 'moves',
    sentence:
      'How many connections one process moves at once, at most: it begins with one, and adds more while the messages of those that are moved wait for less than a tenth of a second.',
  },
  moves_never: {
    kind: 'tokens',
    group: 'moves',
    form: 'PATTERNS',
    pattern: REQUEST_PATTERN,
    rule: REQUEST_PATTERN_RULE,
    defaultRule: 'none',
    sentence:
      'WebSockets and event streams whose request matches one of these are not moved, a list, or a text with commas: /path, where * stands for anything, or the name of a header field, or NAME=VALUE.',
    more: 'For credentials that are good for one handshake: `/*ticket=*`, `x-one-time-token`. Case does not count.',
  },
  websocket_no_context_takeover: {
    kind: 'boolean',
    group: 'moves',
    default: false,
    sentence:
      'Whether permessage-deflate is offered to backends without context takeover, so that WebSockets with compression can be moved.',
    more: 'Each message is then compressed for itself: a little more bytes, less memory at both ends.',
  },
  move_adapters: {
    kind: 'tokens',
    group: 'moves',
    form: 'NAMES',
    keepsCase: true,
    pattern: '^(none|socket\\.io|graphql-transport-ws|\\.{0,2}/[^\\0]*\\.[cm]?js)$',
    rule: 'none, socket.io, graphql-transport-ws, and paths of modules (./NAME.js)',
    default: ['socket.io', 'graphql-transport-ws'],
    defaultRule: '`socket.io,graphql-transport-ws`',
    sentence:
      'The protocols whose set-up a move says again to the new backend: those that are built in, and modules of your own; none: no others than those of move_rules.',
    more: 'See [adapters](moves.md#adapters).',
  },
  move_rules: {
    kind: 'list',
    group: 'moves',
    form: 'JSON',
    min: 0,
    max: 100,
    rule: 'a list of at most 100 rules, in a flag or a variable as JSON',
    default: [],
    defaultRule: 'none',
    item: { kind: 'object', sentence: 'One protocol.', fields: MOVE_RULE_FIELDS },
    sentence: 'Protocols that are described by the messages of their set-up; they come before move_adapters.',
    more: 'See [rules](moves.md#rules).',
  },
} as const satisfies Record<string, SettingField>;

const CAPTURE_SETTINGS = {
  capture: {
    kind: 'text',
    group: 'capture',
    form: 'STORE',
    pattern: STORE_URL_PATTERN,
    rule: STORE_URL_RULE,
    isOptional: true,
    defaultRule: 'off',
    sentence:
      'Where requests and responses are recorded: s3://bucket/prefix, kafka://host:port/topic (kafka+tls, +iam, +scram, +plain), or a folder.',
    more: 'See [capture](capture.md).',
  },
  capture_on_failure: {
    kind: 'choice',
    group: 'capture',
    values: ['refuse', 'forward'],
    default: 'refuse',
    sentence:
      'What becomes of a request that changes something while its record cannot be written: 503 with Retry-After, or forwarded, and counted as unrecorded.',
  },
  capture_timeout_seconds: {
    kind: 'number',
    group: 'capture',
    min: MIN_SECONDS,
    max: 60,
    default: 5,
    unit: 's',
    sentence: 'How long a request that changes something waits for its record.',
  },
  capture_methods: {
    kind: 'tokens',
    group: 'capture',
    form: 'METHODS',
    pattern: '^[a-z]+$',
    rule: 'methods',
    defaultRule: 'all',
    sentence: 'The methods that are recorded, a list, or a text with commas.',
  },
  capture_paths: {
    kind: 'tokens',
    group: 'capture',
    form: 'PATTERNS',
    pattern: REQUEST_PATTERN,
    rule: REQUEST_PATTERN_RULE,
    defaultRule: 'all',
    sentence: 'What is recorded: /path, where * stands for anything, or the name of a header field, or NAME=VALUE.',
  },
  capture_never: {
    kind: 'tokens',
    group: 'capture',
    form: 'PATTERNS',
    pattern: REQUEST_PATTERN,
    rule: REQUEST_PATTERN_RULE,
    defaultRule: 'none',
    sentence: 'What is not recorded, in the same form.',
  },
  capture_websockets: {
    kind: 'choice',
    group: 'capture',
    values: ['off', 'on'],
    default: 'off',
    sentence: 'Whether the messages of a WebSocket are recorded, too, where its handshake is.',
    more: 'See [messages](capture.md#messages-of-websockets).',
  },
  capture_share: {
    kind: 'number',
    group: 'capture',
    min: 0,
    max: 100,
    default: 100,
    unit: '%',
    sentence: 'The share of the connections whose requests are recorded.',
  },
  capture_redact: {
    kind: 'tokens',
    group: 'capture',
    form: 'NAMES',
    keepsCase: true,
    pattern: "^(/([^~,]|~[01])*|[!#$%&'*+\\-.^_`|~0-9A-Za-z]+)$",
    rule: 'names of header fields, and JSON pointers (/card/number) with * for each member',
    default: REDACTED_FIELDS,
    defaultRule: '`authorization,cookie,proxy-authorization,set-cookie`',
    sentence:
      'What a record holds a hash of, in place of its value: header fields, and values in JSON bodies by their pointer; none: nothing.',
  },
  capture_user: {
    kind: 'text',
    group: 'capture',
    form: 'NAME',
    pattern: ANY_TEXT,
    rule: 'a text',
    allowsNumber: true,
    isOptional: true,
    defaultRule: 'none',
    sentence: 'The user who logs in to Kafka, of kafka+plain and kafka+scram.',
  },
  capture_password: {
    kind: 'secret',
    group: 'capture',
    sentence: 'The password of that user.',
  },
  capture_key: {
    kind: 'secret',
    group: 'capture',
    minLength: 16,
    sentence: 'The key of these hashes; proxies with the same one write the same hash for the same value.',
  },
  capture_body_bytes: {
    kind: 'integer',
    group: 'capture',
    form: 'BYTES',
    min: 0,
    max: 2 ** 30,
    default: 2 ** 20,
    unit: 'bytes',
    sentence:
      'What is recorded of a body at most; a request that changes something and is longer is forwarded, and counted as unrecorded.',
  },
  capture_memory_bytes: {
    kind: 'integer',
    group: 'capture',
    form: 'BYTES',
    min: 2 ** 20,
    max: 2 ** 36,
    default: 64 * 2 ** 20,
    unit: 'bytes',
    sentence: 'What a process holds of records that are not written yet.',
  },
} as const satisfies Record<string, SettingField>;

const MIRROR_SETTINGS = {
  mirror_url: {
    ...UPSTREAM,
    group: 'mirror',
    isOptional: true,
    defaultRule: 'off',
    sentence: 'A target that gets copies of requests, and whose responses are compared with those of the upstream.',
    more: 'See [mirror](mirror.md).',
  },
  mirror_share: {
    kind: 'number',
    group: 'mirror',
    min: 0,
    max: 100,
    default: 10,
    unit: '%',
    sentence: 'The share of the requests that are copied.',
  },
  mirror_methods: {
    kind: 'choice',
    group: 'mirror',
    values: MIRROR_METHODS,
    default: 'safe',
    sentence:
      'Which requests are copied: those with GET, HEAD and OPTIONS, or those that change something, too, to a target whose writes may be thrown away.',
  },
  mirror_paths: {
    kind: 'tokens',
    group: 'mirror',
    form: 'PATTERNS',
    pattern: REQUEST_PATTERN,
    rule: REQUEST_PATTERN_RULE,
    defaultRule: 'all',
    sentence: 'What is copied: /path, where * stands for anything, or the name of a header field, or NAME=VALUE.',
  },
  mirror_never: {
    kind: 'tokens',
    group: 'mirror',
    form: 'PATTERNS',
    pattern: REQUEST_PATTERN,
    rule: REQUEST_PATTERN_RULE,
    defaultRule: 'none',
    sentence: 'What is not copied, in the same form.',
  },
  mirror_repeat_share: {
    kind: 'number',
    group: 'mirror',
    min: 0,
    max: 100,
    default: 20,
    unit: '%',
    sentence:
      'The share of the copied safe requests that are sent to the upstream once more: what differs then is noise.',
  },
  mirror_ignore: {
    kind: 'tokens',
    group: 'mirror',
    form: 'FIELDS',
    keepsCase: true,
    pattern: '^[^,\\0]{1,1000}$',
    rule: 'fields of a comparison, with * for anything',
    defaultRule: 'none',
    sentence: 'Fields that are not judged, such as header.etag, body.meta.*, or GET /items/{id} body.price.',
  },
  mirror_concurrency: {
    kind: 'integer',
    group: 'mirror',
    form: 'COUNT',
    min: 1,
    max: 1000,
    default: 32,
    sentence: 'How many copies of one process are under way at most; further ones are not made, and counted.',
  },
  mirror_timeout_seconds: {
    kind: 'number',
    group: 'mirror',
    min: MIN_SECONDS,
    max: 60,
    default: 5,
    unit: 's',
    sentence: 'How long a copy waits for the whole of its response.',
  },
  mirror_body_bytes: {
    kind: 'integer',
    group: 'mirror',
    form: 'BYTES',
    min: 0,
    max: 16 * 2 ** 20,
    default: 64 * 2 ** 10,
    unit: 'bytes',
    sentence: 'A request with a longer body is not copied; of a longer response only so much is compared.',
  },
  mirror_memory_bytes: {
    kind: 'integer',
    group: 'mirror',
    form: 'BYTES',
    min: 2 ** 20,
    max: 2 ** 36,
    default: 16 * 2 ** 20,
    unit: 'bytes',
    sentence: 'What a process holds of copied requests and of their responses.',
  },
} as const satisfies Record<string, SettingField>;

const OTHERS = {
  upgrade_protocols: {
    kind: 'tokens',
    group: 'protocols',
    form: 'TOKENS',
    // A protocol and perhaps its version (RFC 9110 section 7.8); none in which requests would pass unchecked, or that this proxy
    // would have to end.
    pattern: "^(?!(h2c?|h3|https?|tls|ssl)(/|$))[!#$%&'*+\\-.^_`|~0-9a-z]+(/[!#$%&'*+\\-.^_`|~0-9a-z]+)?$",
    rule: 'tokens of Upgrade, and none of h2c, HTTP and TLS',
    defaultRule: 'none',
    sentence:
      'Tokens of Upgrade that are switched to besides websocket, a list, or a text with commas; never h2c, HTTP or TLS.',
    more: 'For example `tcp,echo/1`.',
  },
  emf: {
    kind: 'boolean',
    group: 'surroundings',
    default: false,
    sentence: 'Whether lines for CloudWatch metrics are logged.',
    more: 'See [CloudWatch](#cloudwatch).',
  },
  service_name: {
    kind: 'text',
    group: 'surroundings',
    form: 'NAME',
    // What CloudWatch takes as the value of a dimension.
    pattern: '^(?=.{1,255}$)[ -~]*[!-~][ -~]*$',
    rule: "from 1 to 255 ASCII characters, not all blank, when 'emf' is on",
    allowsNumber: true,
    isOptional: true,
    sentence: 'The name that these metrics have; must be given with emf.',
  },
  task_protection: {
    kind: 'boolean',
    group: 'surroundings',
    default: false,
    sentence: 'Whether the ECS task is protected from scale-in while it has long-lived connections.',
    more: 'See [On ECS](#on-ecs).',
  },
  switch_store: {
    kind: 'text',
    group: 'surroundings',
    form: 'BUCKET',
    pattern: '^[a-z0-9][a-z0-9.-]{1,61}[a-z0-9]$',
    rule: 'the name of a bucket of S3',
    isOptional: true,
    sentence:
      'The bucket of S3 that holds the regime and the decisions of switches; without it no switch can hold the proxy.',
    more: 'The constructs set it. With it each request to a backend carries `X-Drainshift-Epoch`.',
  },
  session_store_url: {
    kind: 'text',
    group: 'surroundings',
    form: 'URL',
    pattern: '[Rr][Ee][Dd][Ii][Ss]{1,2}://',
    rule: 'rediss://[USER@]HOST[:PORT], or redis:// without TLS; a password belongs in DRAINSHIFT_SESSION_STORE_PASSWORD',
    isOptional: true,
    sentence: 'A store of sessions to check: rediss://[user@]host[:port], or redis:// without TLS.',
    more: 'See [Health](#health).',
  },
  session_store_user: {
    kind: 'text',
    group: 'surroundings',
    form: 'NAME',
    pattern: ANY_TEXT,
    rule: 'a text',
    allowsNumber: true,
    isOptional: true,
    defaultRule: 'that of the URL',
    sentence: 'The user who logs in to the session store.',
  },
  session_store_password: {
    kind: 'secret',
    group: 'surroundings',
    sentence: 'The password of that user; without it there is no login.',
  },
  session_store_required: {
    kind: 'boolean',
    group: 'surroundings',
    default: false,
    sentence: 'Whether the health check fails while the session store is unreachable.',
  },
} as const satisfies Record<string, SettingField>;

/**
 * Every setting of the proxy, once. Its reader and its flags, the variables that the constructs set, `proxy --check`, the JSON
 * Schema, the shell completion and the tables of docs/proxy.md are made from this.
 */
export const PROXY_SETTINGS = {
  ...GENERAL,
  ...TIMEOUT_SETTINGS,
  ...LIMIT_SETTINGS,
  ...MOVE_SETTINGS,
  ...CAPTURE_SETTINGS,
  ...MIRROR_SETTINGS,
  ...OTHERS,
} as const;
