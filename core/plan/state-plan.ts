import type { FieldValues, Fields, ObjectField, TextField } from '../validation/fields';
import type { Problems } from '../validation/problems';
import { statePath } from '../state/http-contract';
import { DECIDING_PARTS, FUNCTION_ARN, HOOK_PATH, HookPlan, PART_LIMITS, PROBE_WRITE, checkPause } from './hook-plan';

/** A host without a user or a password: a plan is kept in logs and in the evidence. */
const STORE_URL = {
  kind: 'text',
  pattern: '^(rediss?|valkeys?)://[A-Za-z0-9._-]{1,253}(:[0-9]{1,5})?(/[0-9]{1,4})?$',
  rule: 'redis(s)://host[:port][/database] or valkey(s)://…, without a user and a password, which are in the secret',
  sentence: 'With `rediss:` and `valkeys:` over TLS.',
} as const satisfies TextField;

const storeFields = (side: string) =>
  ({
    kind: 'object',
    sentence: `The store of the ${side}.`,
    fields: {
      url: STORE_URL,
      secretArn: {
        kind: 'text',
        isOptional: true,
        pattern: '^arn:aws[a-z-]{0,12}:secretsmanager:[a-z0-9-]{1,30}:[0-9]{12}:secret:[A-Za-z0-9/_+=.@-]{1,519}$',
        rule: 'the ARN of a secret of Secrets Manager',
        sentence: 'JSON with `username` and `password`, as which the steps log in. Absent where none is needed.',
      },
      caPem: {
        kind: 'text',
        isOptional: true,
        pattern: '^-----BEGIN CERTIFICATE-----[A-Za-z0-9+/=\\s-]{1,16000}$',
        rule: 'certificates in PEM',
        sentence: 'Whom the certificate of the store is trusted by, in place of the public authorities.',
      },
    },
  }) as const satisfies ObjectField;

const hostFields = (side: string) =>
  ({
    kind: 'object',
    sentence: `The host of the ${side}.`,
    fields: {
      instanceId: {
        kind: 'text',
        pattern: '^(i|mi)-[0-9a-f]{8,17}$',
        rule: 'the id of an EC2 instance or a managed node of Systems Manager, i-… or mi-…: tasks of Fargate have no right to CAP_CHECKPOINT_RESTORE',
        sentence: 'The instance on which the application runs. It needs the agent of Systems Manager.',
      },
    },
  }) as const satisfies ObjectField;

const STATE_FIELDS = {
  http: {
    kind: 'object',
    isOptional: true,
    sentence:
      'The application exports and imports its state, and proxies carry it. One of this, `valkey`, `checkpoint` and `functionArn`.',
    fields: {
      path: {
        ...HOOK_PATH,
        isOptional: false,
        sentence: 'Below it are `freeze`, `export`, `import`, `digest` and `thaw`, at both backends.',
      },
    },
  },
  valkey: {
    kind: 'object',
    isOptional: true,
    sentence:
      'The state is in one Valkey or Redis for each side, and the steps copy its keys. One of this, `http`, `checkpoint` and `functionArn`.',
    fields: {
      method: {
        kind: 'choice',
        values: ['copy', 'replicate'],
        default: 'copy',
        sentence:
          'How it goes along: the steps copy key by key, or the store of the target replicates that of the source with all its databases, and takes its place by FAILOVER.',
      },
      source: storeFields('source'),
      target: storeFields('target'),
      keys: {
        kind: 'text',
        isOptional: true,
        pattern: '^[^\\s]{1,256}$',
        rule: 'a pattern of SCAN with 1 to 256 characters',
        sentence: 'The keys that go along, as a pattern of SCAN: `app:*`. Absent: all keys of the database.',
      },
    },
  },
  checkpoint: {
    kind: 'object',
    isOptional: true,
    sentence:
      'The memory of the running application goes along: its processes are dumped on one host and restored on the other. One of this, `http`, `valkey` and `functionArn`.',
    fields: {
      documentName: {
        kind: 'text',
        pattern: '^[A-Za-z0-9_.:/-]{3,200}$',
        rule: 'the name of a document of Systems Manager with 3 to 200 characters, or its ARN',
        sentence: 'The document that hosts run. `StateTransfer.checkpoint` of the CDK makes it.',
      },
      source: hostFields('source'),
      target: hostFields('target'),
      verifyPath: {
        ...HOOK_PATH,
        sentence:
          'Called by POST at both backends, before the dump and behind the restore: both must respond with the same `digest`. Absent: images are compared by their size alone.',
      },
    },
  },
  functionArn: {
    ...FUNCTION_ARN,
    sentence: 'A function that is called for each part. One of this, `http`, `valkey` and `checkpoint`.',
  },
  probeWrite: PROBE_WRITE,
  prepareSeconds: {
    kind: 'seconds',
    min: 1,
    max: 3_600,
    default: 600,
    unit: 's',
    sentence: 'How long the copy before the hold may take, while the side that is left serves.',
  },
  maxBytes: {
    kind: 'integer',
    min: 1,
    max: 1_099_511_627_776,
    default: 10_737_418_240,
    unit: 'bytes',
    sentence: 'A copy of more than this is given up.',
  },
  timeoutMs: {
    kind: 'object',
    sentence: 'The limit of each part in the hold. Those before the decision must fit into `maxPauseMs` together.',
    fields: PART_LIMITS,
  },
} as const satisfies Fields;

/** How the state of the application goes along in a switch. */
export type StatePlan = FieldValues<typeof STATE_FIELDS>;

export type CheckpointPlan = NonNullable<StatePlan['checkpoint']>;
export type ValkeyPlan = NonNullable<StatePlan['valkey']>;
/** How one store is reached. */
export type StorePlan = ValkeyPlan['source'];

export const STATE_FIELD = {
  kind: 'object',
  isOptional: true,
  sentence:
    'The state of the application goes along: copied before the hold, and what has changed since while requests wait. Both sides must agree before the decision. In place of `hook`.',
  fields: STATE_FIELDS,
  schema: {
    oneOf: [
      { required: ['functionArn'] },
      { required: ['http'] },
      { required: ['valkey'] },
      { required: ['checkpoint'] },
    ],
  },
} as const satisfies ObjectField;

/** Adds a problem for each rule between its parts, and the pause that they must fit into. */
export function checkState(name: string, state: StatePlan, maxPauseMs: number, problems: Problems): void {
  const { http, valkey, checkpoint, probeWrite, timeoutMs } = state;
  const given = (['functionArn', 'http', 'valkey', 'checkpoint'] as const).filter((each) => state[each] !== undefined);
  if (given.length !== 1) {
    const got = given.length === 0 ? undefined : given.join(' and ');
    problems.add(name, 'one with either functionArn, http, valkey or checkpoint', got);
    return;
  }
  if (valkey) checkStores(`${name}.valkey`, valkey, problems);
  if (checkpoint && checkpoint.source.instanceId === checkpoint.target.instanceId) {
    const rule = 'another instance than that of the source';
    problems.add(`${name}.checkpoint.target.instanceId`, rule, checkpoint.target.instanceId);
  }
  // What is frozen there keeps writes waiting: one that is tried would not be rejected.
  const waits = valkey ? 'valkey' : checkpoint ? 'checkpoint' : undefined;
  if (waits && probeWrite) problems.add(`${name}.probeWrite`, `absent with ${waits}`, probeWrite);
  if (http?.path.includes('?')) problems.add(`${name}.http.path`, "a path without a '?'", http.path);
  const parts = DECIDING_PARTS.filter((part) => part !== 'probeWrite' || probeWrite !== undefined);
  checkPause(name, parts, timeoutMs, maxPauseMs, problems);
}

function checkStores(name: string, { source, target, method, keys }: ValkeyPlan, problems: Problems): void {
  const place = ({ url }: StorePlan) => url.replace(/^[a-z]+:/, '').replace(/\/0$/, '');
  if (place(source) === place(target))
    problems.add(`${name}.target.url`, 'another store than that of the source', target.url);
  if (method === 'replicate') {
    if (keys !== undefined) problems.add(`${name}.keys`, "absent with method 'replicate': all keys go along", keys);
    if (readDatabase(source) !== readDatabase(target))
      problems.add(`${name}.target.url`, "of the same database as the source with method 'replicate'", target.url);
  }
  for (const [side, { url, caPem }] of Object.entries({ source, target })) {
    if (caPem !== undefined && !usesTls(url))
      problems.add(`${name}.${side}.caPem`, 'given with rediss: or valkeys: alone', url);
  }
}

/** The database of a store that is meant: 0 unless its URL says so. */
export function readDatabase({ url }: StorePlan): number {
  return Number(new URL(url).pathname.slice(1) || '0');
}

/** Whether a store is reached over TLS. */
export function usesTls(url: string): boolean {
  return /^(rediss|valkeys):/.test(url);
}

/** What is called of it as of a hook: the freeze and the thaw, and all parts of a function. */
export function findStateHook({ http, functionArn, probeWrite, timeoutMs }: StatePlan): HookPlan {
  const paths = http && {
    freeze: statePath(http.path, 'freeze'),
    transfer: undefined,
    verify: undefined,
    thaw: statePath(http.path, 'thaw'),
  };
  return { functionArn, http: paths, probeWrite, timeoutMs };
}
