import { isRedacted } from './redacted';

/** How a field differs. `order`: an array has the same items in another order. */
export const DIFFERENCE_KINDS = ['changed', 'type', 'missing', 'added', 'order'] as const;
export type DifferenceKind = (typeof DIFFERENCE_KINDS)[number];

export interface Difference {
  readonly kind: DifferenceKind;
  /** Values as they were read, for an example; undefined where there is none. */
  readonly source: unknown;
  readonly target: unknown;
  /** As they stand in an example, where that is known already. */
  readonly shown?: ShownValues;
}

/** Two values for people: clipped around what differs, without secrets, safe to print. */
export interface ShownValues {
  readonly source: string | null;
  readonly target: string | null;
}

/** Stands for what is more than the limit. */
export const OTHER_FIELDS = '(other fields)';

/** A response has no more fields of its own in a table; two documents that have nothing in common would fill it. */
const MAX_FIELDS = 200;

/** What differs between two responses, by field: the first difference of each. */
export class Differences {
  readonly byField = new Map<string, Difference>();
  /** Whether everything was compared that both have. */
  isWhole = true;

  add(field: string, kind: DifferenceKind, source: unknown, target: unknown): void {
    if (this.byField.has(field) || isRedacted(source) || isRedacted(target)) return;
    const name = this.byField.size < MAX_FIELDS ? field : OTHER_FIELDS;
    if (!this.byField.has(name)) this.byField.set(name, { kind, source, target });
  }

  /** What one side alone has is `missing` or `added`. */
  addValues(field: string, source: unknown, target: unknown): void {
    if (source === undefined) this.add(field, 'added', source, target);
    else if (target === undefined) this.add(field, 'missing', source, target);
    else this.add(field, 'changed', source, target);
  }
}
