import { identifier } from '../assembly/identify';
import { Identity, Resolver } from '../assembly/resolve';
import { Stack } from '../assembly/template';
import { Properties } from './properties';

/** A resource of a stack, ready to be read. */
export interface Ready {
  readonly logicalId: string;
  readonly identity: Identity;
  readonly properties: Properties;
}

/** The resources of one stack with their identities given and their intrinsics resolved. */
export class Resources {
  private readonly identify: ReturnType<typeof identifier>;
  readonly resolver: Resolver;

  constructor(readonly stack: Stack) {
    this.identify = identifier(stack);
    this.resolver = new Resolver(stack, this.identify);
  }

  ofType(type: string): Ready[] {
    return Object.entries(this.stack.template.Resources ?? {})
      .filter(([, resource]) => resource.Type === type)
      .filter(([, { Condition }]) => Condition === undefined || this.resolver.condition(Condition))
      .map(([logicalId, resource]) => ({
        logicalId,
        identity: this.identify(logicalId, resource),
        properties: new Properties(logicalId, this.resolver.properties(resource)),
      }));
  }
}
