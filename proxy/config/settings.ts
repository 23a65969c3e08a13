import { PROXY_VARIABLES } from '../../core/cutover/cutover-config';

/** Every setting by its name in a file, with its environment variable. Flags have the file's names. */
export const SETTINGS = {
  side: PROXY_VARIABLES.side,
  listen: PROXY_VARIABLES.listen,
  admin: PROXY_VARIABLES.admin,
  admin_secret_file: 'DRAINSHIFT_ADMIN_SECRET_FILE',
  admin_secret_arn: PROXY_VARIABLES.adminSecretArn,
  workers: 'DRAINSHIFT_WORKERS',
  upstream: PROXY_VARIABLES.upstream,
  upstream_server_name: 'DRAINSHIFT_UPSTREAM_SERVER_NAME',
  other_upstream: 'DRAINSHIFT_OTHER_UPSTREAM',
  other_upstream_server_name: 'DRAINSHIFT_OTHER_UPSTREAM_SERVER_NAME',
  upstream_verify_certificate: 'DRAINSHIFT_UPSTREAM_VERIFY_CERTIFICATE',
  upstream_authorities: PROXY_VARIABLES.upstreamAuthorities,
  upstream_authorities_file: 'DRAINSHIFT_UPSTREAM_AUTHORITIES_FILE',
  upstream_local_address: PROXY_VARIABLES.upstreamLocalAddress,
  tls: PROXY_VARIABLES.tls,
  tls_certificate_file: 'DRAINSHIFT_TLS_CERTIFICATE_FILE',
  tls_key_file: 'DRAINSHIFT_TLS_KEY_FILE',
  client_idle_seconds: 'DRAINSHIFT_CLIENT_IDLE_SECONDS',
  head_seconds: 'DRAINSHIFT_HEAD_SECONDS',
  connect_seconds: 'DRAINSHIFT_CONNECT_SECONDS',
  first_byte_seconds: 'DRAINSHIFT_FIRST_BYTE_SECONDS',
  upstream_idle_seconds: 'DRAINSHIFT_UPSTREAM_IDLE_SECONDS',
  body_idle_seconds: 'DRAINSHIFT_BODY_IDLE_SECONDS',
  stream_idle_seconds: 'DRAINSHIFT_STREAM_IDLE_SECONDS',
  upstream_ping_seconds: 'DRAINSHIFT_UPSTREAM_PING_SECONDS',
  pool_idle_seconds: 'DRAINSHIFT_POOL_IDLE_SECONDS',
  upstream_age_seconds: 'DRAINSHIFT_UPSTREAM_AGE_SECONDS',
  request_line_bytes: 'DRAINSHIFT_REQUEST_LINE_BYTES',
  field_bytes: 'DRAINSHIFT_FIELD_BYTES',
  field_lines: 'DRAINSHIFT_FIELD_LINES',
  client_connections: 'DRAINSHIFT_CLIENT_CONNECTIONS',
  upstream_connections: 'DRAINSHIFT_UPSTREAM_CONNECTIONS',
  idle_upstream_connections: 'DRAINSHIFT_IDLE_UPSTREAM_CONNECTIONS',
  waiting_requests: 'DRAINSHIFT_WAITING_REQUESTS',
  concurrent_streams: 'DRAINSHIFT_CONCURRENT_STREAMS',
  memory_bytes: 'DRAINSHIFT_MEMORY_BYTES',
  head_bytes_per_second: 'DRAINSHIFT_HEAD_BYTES_PER_SECOND',
  upload_bytes_per_second: 'DRAINSHIFT_UPLOAD_BYTES_PER_SECOND',
  read_bytes_per_second: 'DRAINSHIFT_READ_BYTES_PER_SECOND',
  upgrade_protocols: 'DRAINSHIFT_UPGRADE_PROTOCOLS',
  grace_period_seconds: 'DRAINSHIFT_GRACE_PERIOD_SECONDS',
  graceful_shutdown_timeout_seconds: 'DRAINSHIFT_GRACEFUL_SHUTDOWN_TIMEOUT_SECONDS',
  propagation_seconds: 'DRAINSHIFT_PROPAGATION_SECONDS',
  stop_timeout_seconds: 'DRAINSHIFT_STOP_TIMEOUT_SECONDS',
  close_rate_per_second: 'DRAINSHIFT_CLOSE_RATE_PER_SECOND',
  forwarded_for: 'DRAINSHIFT_FORWARDED_FOR',
  via: 'DRAINSHIFT_VIA',
  proxy_protocol: 'DRAINSHIFT_PROXY_PROTOCOL',
  access_log: 'DRAINSHIFT_ACCESS_LOG',
  emf: 'DRAINSHIFT_EMF',
  service_name: 'DRAINSHIFT_SERVICE_NAME',
  task_protection: 'DRAINSHIFT_TASK_PROTECTION',
  session_store_url: 'DRAINSHIFT_SESSION_STORE_URL',
  session_store_user: 'DRAINSHIFT_SESSION_STORE_USER',
  session_store_required: 'DRAINSHIFT_SESSION_STORE_REQUIRED',
  log_level: 'DRAINSHIFT_LOG_LEVEL',
} as const;

export type Setting = keyof typeof SETTINGS;

/** Those that are a text even where they look like a number. */
export const TEXTS: ReadonlySet<Setting> = new Set([
  'via',
  'service_name',
  'session_store_user',
  'upstream_authorities',
]);

/** What was given, from wherever; not checked yet. */
export type Values = Partial<Record<Setting, unknown>>;

/** A value and its bounds. */
interface Bounded {
  readonly default: number;
  readonly min: number;
  readonly max: number;
}

const DAY = 86_400;
/** Shorter ones are of use to a test alone. */
const MIN_VALUES = 0.01;

const seconds = (fallback: number, min = MIN_VALUES): Bounded => ({ default: fallback, min, max: DAY });

/** In seconds, each with the name that it has in the data plane, and the one whose value it has unless it is given. */
export const TIMEOUTS = {
  client_idle_seconds: { field: 'clientIdleMs', ...seconds(75) },
  head_seconds: { field: 'headMs', ...seconds(15) },
  connect_seconds: { field: 'connectMs', ...seconds(10) },
  first_byte_seconds: { field: 'firstByteMs', ...seconds(50), follows: 'upstream_idle_seconds' },
  // An Application Load Balancer gives up after 60 s, unless it is told otherwise.
  upstream_idle_seconds: { field: 'upstreamIdleMs', ...seconds(50) },
  body_idle_seconds: { field: 'bodyIdleMs', ...seconds(60) },
  stream_idle_seconds: { field: 'streamIdleMs', ...seconds(0, 0) },
  // What a gRPC server must be expected to bear (`MinTime` of grpc-go, and of C-core), and not a moment less.
  upstream_ping_seconds: { field: 'upstreamPingMs', ...seconds(300, 0) },
  pool_idle_seconds: { field: 'poolIdleMs', ...seconds(4) },
  upstream_age_seconds: { field: 'upstreamAgeMs', ...seconds(60, 0) },
} as const;

/** Each with the name that it has in the data plane. */
export const LIMITS = {
  // What an Application Load Balancer lets through: rejecting it here would lose a request that came this far.
  request_line_bytes: { field: 'requestLineBytes', default: 16_384, min: 256, max: 1_048_576 },
  field_bytes: { field: 'fieldBytes', default: 65_536, min: 1_024, max: 1_048_576 },
  // Servers take about 100 by default; some room for what load balancers add.
  field_lines: { field: 'fieldLines', default: 200, min: 10, max: 10_000 },
  // A WebSocket needs two file descriptors, and a container has 65,535.
  client_connections: { field: 'clientConnections', default: 30_000, min: 1, max: 1_000_000 },
  // Linux has 28,232 ports for the connections to one address.
  upstream_connections: { field: 'upstreamConnections', default: 28_000, min: 1, max: 1_000_000 },
  idle_upstream_connections: { field: 'idleUpstreamConnections', default: 1_024, min: 0, max: 100_000 },
  waiting_requests: { field: 'waitingRequests', default: 1_024, min: 0, max: 100_000 },
  concurrent_streams: { field: 'concurrentStreams', default: 128, min: 1, max: 10_000 },
  // 0: half of what there is; see `memoryBudget`.
  memory_bytes: { field: 'memoryBytes', default: 0, min: 0, max: 2 ** 50 },
  head_bytes_per_second: { field: 'headBytesPerSecond', default: 100, min: 0, max: 1_000_000 },
  // What ASP.NET Core's Kestrel asks for (MinRequestBodyDataRate, MinResponseDataRate).
  upload_bytes_per_second: { field: 'uploadBytesPerSecond', default: 240, min: 0, max: 1_000_000 },
  read_bytes_per_second: { field: 'readBytesPerSecond', default: 240, min: 0, max: 1_000_000 },
} as const;
