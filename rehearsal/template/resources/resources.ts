import { own } from '../../../core/validation/own';
import { creationOrder } from '../assembly/dependencies';
import { identifier } from '../assembly/identify';
import { Identities, Identity, Resolver } from '../assembly/resolve';
import { Stack } from '../assembly/template';
import { Properties } from './properties';

/** A resource of a stack, ready to be read. */
export interface Ready {
  readonly logicalId: string;
  readonly type: string;
  readonly identity: Identity;
  readonly properties: Properties;
}

/** The resources of one stack with their identities given and their intrinsics resolved. */
export class Resources {
  private readonly identify: ReturnType<typeof identifier>;
  /** Asks for what cannot be known. */
  readonly resolver: Resolver;
  private readonly describer: Resolver;

  /** @param identities of the resources that have chosen their own */
  constructor(
    readonly stack: Stack,
    readonly identities: Identities = new Map(),
  ) {
    this.identify = identifier(stack, identities);
    this.resolver = new Resolver(stack, this.identify, 'asked');
    this.describer = new Resolver(stack, this.identify);
  }

  ofType(type: string): Ready[] {
    return this.where((each) => each === type);
  }

  where(isWanted: (type: string) => boolean): Ready[] {
    return Object.entries(this.stack.template.Resources ?? {})
      .filter(([, { Type }]) => isWanted(Type))
      .map(([logicalId]) => this.find(logicalId))
      .filter((ready) => ready !== undefined);
  }

  /**
   * Undefined also for one whose condition does not hold. Its properties are resolved when they are read.
   *
   * @throws UsageError for a value that cannot be known and was not given; when properties are read, too
   */
  find(logicalId: string): Ready | undefined {
    return this.read(logicalId, this.resolver);
  }

  /** The same for what is only looked at: a value that cannot be known is its name. */
  describe(logicalId: string): Ready | undefined {
    return this.read(logicalId, this.describer);
  }

  private read(logicalId: string, resolver: Resolver): Ready | undefined {
    const resource = own(this.stack.template.Resources, logicalId);
    if (!resource || (resource.Condition !== undefined && !resolver.condition(resource.Condition))) return undefined;
    let properties: Properties | undefined;
    return {
      logicalId,
      type: resource.Type,
      identity: this.identify(logicalId, resource),
      get properties() {
        return (properties ??= new Properties(logicalId, resolver.properties(resource)));
      },
    };
  }

  /** An output as it is told. */
  text(value: unknown): string {
    return this.describer.text(value);
  }

  /** In the order in which they are created. */
  get logicalIds(): string[] {
    return creationOrder(this.stack.template);
  }
}
