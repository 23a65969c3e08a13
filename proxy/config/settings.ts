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
