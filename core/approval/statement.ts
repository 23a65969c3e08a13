import { oneLine } from '../text/one-line';

/**
 * A call of `sts:GetCallerIdentity` that a person has signed and not sent: STS tells its sender who signed it. The
 * header of what it says is signed with it, so that it is good for nothing else.
 *
 * It holds no address: its sender builds the whole request (`statementRequest`), and none of it is the signer's choice.
 *
 * @see https://docs.aws.amazon.com/IAM/latest/UserGuide/reference_sigv-create-signed-request.html
 */
export interface Statement {
  /** The value of the signed header. */
  readonly says: string;
  /** Of STS, as it was signed. */
  readonly host: string;
  /** `<access key id>/<yyyymmdd>/<region>/sts/aws4_request`. */
  readonly credential: string;
  /** `yyyymmddThhmmssZ`. */
  readonly date: string;
  /** Seconds, at most `STATEMENT_SECONDS`. */
  readonly expires: number;
  /** Of credentials that last for a while only. */
  readonly token?: string;
  /** 64 hexadecimal digits. */
  readonly signature: string;
}

export const STATEMENT_HEADER = 'x-drainshift-statement';

/** Longer than the time between two looks for it. */
export const STATEMENT_SECONDS = 900;
/** Of the signer; STS allows as much. */
const CLOCK_MARGIN_MS = 300_000;

/** What is asked of STS in every statement, and signed. */
export const STATEMENT_QUERY = { Action: 'GetCallerIdentity', Version: '2011-06-15' } as const;

/** What a statement must be signed for. */
export interface StatementTerms {
  readonly says: string;
  readonly host: string;
  readonly region: string;
}

interface Rule {
  readonly rule: (terms: StatementTerms) => string;
  readonly holds: (value: unknown, terms: StatementTerms) => boolean;
}

const isText = (value: unknown, pattern: RegExp): value is string => typeof value === 'string' && pattern.test(value);

const RULES: Readonly<Record<keyof Statement, Rule>> = {
  says: { rule: ({ says }) => `'${says}'`, holds: (value, { says }) => value === says },
  host: { rule: ({ host }) => `'${host}'`, holds: (value, { host }) => value === host },
  credential: {
    rule: ({ region }) => `KEY/DATE/${region}/sts/aws4_request`,
    holds: (value, { region }) =>
      isText(value, /^[\w-]{1,128}\/\d{8}\/[a-z0-9-]+\/sts\/aws4_request$/) && value.split('/')[2] === region,
  },
  date: {
    rule: () => 'a time as 20260131T235959Z',
    holds: (value) => isText(value, /^\d{8}T\d{6}Z$/) && !Number.isNaN(parseTime(value)),
  },
  expires: {
    rule: () => `an integer from 1 to ${STATEMENT_SECONDS}`,
    holds: (value) => Number.isInteger(value) && (value as number) >= 1 && (value as number) <= STATEMENT_SECONDS,
  },
  token: {
    rule: () => 'a session token',
    holds: (value) => value === undefined || isText(value, /^[\x21-\x7e]{1,8192}$/),
  },
  signature: { rule: () => '64 hexadecimal digits', holds: (value) => isText(value, /^[0-9a-f]{64}$/) },
};
const NAMES = Object.keys(RULES) as (keyof Statement)[];

/**
 * Everything of a statement that can be known without STS.
 *
 * @param value as a person wrote it
 * @returns the statement, or in one line why it is none
 */
export function readStatement(value: unknown, terms: StatementTerms, nowMs: number): Statement | string {
  const raw = (typeof value === 'object' && value !== null ? value : {}) as Record<keyof Statement, unknown>;
  const broken = NAMES.find((name) => !RULES[name].holds(raw[name], terms));
  if (broken !== undefined)
    return `'statement.${broken}' must be ${RULES[broken].rule(terms)}, got ${show(broken, raw)}`;
  const given = NAMES.filter((name) => raw[name] !== undefined).map((name) => [name, raw[name]] as const);
  const statement = Object.fromEntries(given) as unknown as Statement;
  return timeProblem(statement, nowMs) ?? statement;
}

function timeProblem({ date, expires }: Statement, nowMs: number): string | undefined {
  const signedAtMs = parseTime(date);
  const untilMs = signedAtMs + expires * 1000;
  const isEarly = nowMs < signedAtMs - CLOCK_MARGIN_MS;
  if (!isEarly && nowMs < untilMs) return undefined;
  // Without the time of this look: the same problem is reported once.
  const got = isEarly ? 'an earlier look' : 'a later look';
  return `the statement must be looked at from ${iso(signedAtMs)} to ${iso(untilMs)}, got ${got}: sign it again`;
}

function show(name: keyof Statement, { [name]: value }: Record<keyof Statement, unknown>): string {
  if (value === undefined) return 'nothing';
  // A session token is a secret of its owner, also a broken one.
  if (name === 'token') return 'another text';
  return oneLine(typeof value === 'string' ? `'${value}'` : JSON.stringify(value), 200);
}

function parseTime(date: string): number {
  return Date.parse(date.replace(/^(....)(..)(..)T(..)(..)(..)Z$/, '$1-$2-$3T$4:$5:$6Z'));
}

function iso(timeMs: number): string {
  return new Date(timeMs).toISOString();
}

/** The request that was signed: a GET of this path with these headers, beside the one of the host. */
export function statementRequest(statement: Statement): {
  readonly path: string;
  readonly headers: Record<string, string>;
} {
  const query = {
    ...STATEMENT_QUERY,
    'X-Amz-Algorithm': 'AWS4-HMAC-SHA256',
    'X-Amz-Credential': statement.credential,
    'X-Amz-Date': statement.date,
    'X-Amz-Expires': String(statement.expires),
    ...(statement.token !== undefined && { 'X-Amz-Security-Token': statement.token }),
    'X-Amz-SignedHeaders': `host;${STATEMENT_HEADER}`,
    'X-Amz-Signature': statement.signature,
  };
  const pairs = Object.entries(query).map(([name, value]) => `${name}=${encodeURIComponent(value)}`);
  return { path: `/?${pairs.join('&')}`, headers: { [STATEMENT_HEADER]: statement.says } };
}
