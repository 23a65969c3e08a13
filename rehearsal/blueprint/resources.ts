import { own } from '../../core/own';
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
  readonly resolver: Resolver;

  /** @param identities of the resources that have chosen their own */
  constructor(
    readonly stack: Stack,
    readonly identities: Identities = new Map(),
  ) {
    this.identify = identifier(stack, identities);
    this.resolver = new Resolver(stack, this.identify);
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

  /** Undefined also for one whose condition does not hold. */
  find(logicalId: string): Ready | undefined {
    const resource = own(this.stack.template.Resources, logicalId);
    if (!resource || (resource.Condition !== undefined && !this.resolver.condition(resource.Condition)))
      return undefined;
    return {
      logicalId,
      type: resource.Type,
      identity: this.identify(logicalId, resource),
      properties: new Properties(logicalId, this.resolver.properties(resource)),
    };
  }

  /** In the order in which they are created. */
  get logicalIds(): string[] {
    return creationOrder(this.stack.template);
  }
}
