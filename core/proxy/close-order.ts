import type { FieldValues, ObjectField } from '../validation/fields';
import { matchesParts, splitPattern } from '../text/wildcard';
import { requestPath } from '../validation/request-path';
import { CONNECTION_KINDS, ConnectionKind } from './connections';

/** Each is asked of every connection that is over its time. */
const MAX_PATHS = 20;

/** Whom a drain closes first of those that are over their time. A place of its own in a plan, and the same in a drain order. */
export const CLOSE_ORDER_FIELD = {
  kind: 'object',
  isOptional: true,
  sentence:
    'Which connections are closed first of those that are over their time: by path, then by kind, then by age. Absent: short-lived kinds first, and the oldest of a kind.',
  fields: {
    paths: {
      kind: 'list',
      min: 0,
      max: MAX_PATHS,
      rule: `a list of at most ${MAX_PATHS} path patterns`,
      default: [] as readonly { readonly path: string }[],
      sentence: 'Paths whose connections are closed before all others, the first one first.',
      item: {
        kind: 'object',
        sentence: 'One pattern.',
        fields: {
          path: {
            kind: 'text',
            // A query is none of a path.
            pattern: '^/[!"$->@-~]{0,255}$',
            rule: `${requestPath().rule}, without a query, of at most 256 characters`,
            sentence: 'The whole path, without a query; `*` stands for anything: `/chat/*`.',
          },
        },
      },
    },
    kinds: {
      kind: 'choice',
      values: ['shortLivedFirst', 'together'],
      default: 'shortLivedFirst',
      sentence:
        'Whether requests go before WebSocket connections, these before streams, and other streaming responses last; or all kinds by age.',
    },
    age: {
      kind: 'choice',
      values: ['oldestFirst', 'youngestFirst'],
      default: 'oldestFirst',
      sentence: 'Which go first of the same path and kind.',
    },
  },
} as const satisfies ObjectField;

export type CloseOrder = FieldValues<typeof CLOSE_ORDER_FIELD.fields>;

const AS_USUAL: CloseOrder = { paths: [], kinds: 'shortLivedFirst', age: 'oldestFirst' };

/** What the order asks of a connection. */
export interface Ranked {
  readonly kind: ConnectionKind;
  /** Of a clock that all are asked by. */
  readonly enteredMs: number;
  /** Without its query. */
  readonly path: string;
}

/** The same connections in the order in which they are closed. @param order absent: as usual */
export function inCloseOrder<C extends Ranked>(connections: readonly C[], order: CloseOrder = AS_USUAL): C[] {
  const patterns = order.paths.map(({ path }) => splitPattern(path));
  const byKind = order.kinds === 'shortLivedFirst';
  const rank = ({ kind, path }: Ranked) => {
    const place = patterns.findIndex((parts) => matchesParts(path, parts));
    const ofPath = place < 0 ? patterns.length : place;
    return ofPath * CONNECTION_KINDS.length + (byKind ? CONNECTION_KINDS.indexOf(kind) : 0);
  };
  const sign = order.age === 'oldestFirst' ? 1 : -1;
  return connections
    .map((connection) => ({ connection, rank: rank(connection) }))
    .sort((a, b) => a.rank - b.rank || sign * (a.connection.enteredMs - b.connection.enteredMs))
    .map(({ connection }) => connection);
}
