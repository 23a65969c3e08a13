import { own } from '../validation/own';
import { GroupArns } from './forward';
import { Problems } from '../validation/problems';
import { Weights, readWeights } from './weights';

/** What the template says of a weighted rule. */
export interface RuleProperties {
  readonly listenerArn: string;
  readonly priority: number;
  readonly pathPatterns: readonly string[];
  /** None: all hosts. */
  readonly hostHeaders: readonly string[];
  readonly groupArns: GroupArns;
  readonly initialWeights: Weights;
  readonly stickinessSeconds: number;
  /** Whether its listener had traffic before: then it is created only over groups with healthy targets. */
  readonly requiresTargets: boolean;
  /** The bucket with the lock. */
  readonly storeBucket: string;
}

/** Everything that a deployment decides of a rule, as one text in which order says nothing. */
export function canonicalizeRule({
  priority,
  pathPatterns,
  hostHeaders,
  groupArns,
  stickinessSeconds,
}: RuleProperties): string {
  const { source, target } = groupArns;
  const conditions = [[...pathPatterns].sort(), [...hostHeaders].sort()];
  return JSON.stringify([priority, conditions, source, target, stickinessSeconds]);
}

/**
 * Reads the properties of a custom resource, whose numbers CloudFormation writes as text.
 *
 * @throws Error with one line a problem
 */
export function readRuleProperties(value: unknown): RuleProperties {
  const reader = new PropertyReader(value);
  const properties: RuleProperties = {
    listenerArn: reader.text('ListenerArn'),
    priority: reader.integer('Priority', 1, 50_000),
    pathPatterns: reader.texts('PathPatterns'),
    hostHeaders: reader.texts('HostHeaders'),
    groupArns: { source: reader.text('SourceGroupArn'), target: reader.text('TargetGroupArn') },
    initialWeights: reader.weights('InitialWeights'),
    stickinessSeconds: reader.integer('StickinessSeconds', 1, 604_800),
    requiresTargets: reader.isTrue('RequiresTargets'),
    storeBucket: reader.text('StoreBucket'),
  };
  reader.throwIfAny();
  return properties;
}

class PropertyReader {
  private readonly raw: Readonly<Record<string, unknown>>;
  private readonly problems = new Problems();

  constructor(value: unknown) {
    this.raw = typeof value === 'object' && value !== null ? (value as Record<string, unknown>) : {};
  }

  text(name: string): string {
    const value = own(this.raw, name);
    if (typeof value === 'string' && value !== '') return value;
    this.problems.add(name, 'a text', value);
    return '';
  }

  /** None when it is absent. */
  texts(name: string): string[] {
    const value = own(this.raw, name) ?? [];
    if (Array.isArray(value) && value.every((each): each is string => typeof each === 'string')) return value;
    this.problems.add(name, 'a list of texts', value);
    return [];
  }

  /** False when it is absent. */
  isTrue(name: string): boolean {
    const value = own(this.raw, name) ?? false;
    const isTrue = value === true || value === 'true';
    if (!isTrue && value !== false && value !== 'false') this.problems.add(name, 'true or false', value);
    return isTrue;
  }

  integer(name: string, min: number, max: number): number {
    return this.problems.integer(name, toNumber(own(this.raw, name)), { min, max });
  }

  weights(name: string): Weights {
    const { Source, Target } = (own(this.raw, name) ?? {}) as { Source?: unknown; Target?: unknown };
    return readWeights(this.problems, name, { source: toNumber(Source), target: toNumber(Target) });
  }

  throwIfAny(): void {
    if (this.problems.all.length > 0) throw new Error(this.problems.all.join('\n'));
  }
}

function toNumber(value: unknown): unknown {
  return typeof value === 'string' && /^\d{1,9}$/.test(value) ? Number(value) : value;
}
