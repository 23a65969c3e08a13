import type { Identity } from '../assembly/resolve';
import type { Stack } from '../assembly/template';
import type { StackStatus } from '../aws/stacks/stacks-service';
import { Blueprint, readBlueprint } from '../blueprint/blueprint';
import { customResource, isRun } from '../blueprint/custom-resources';
import { buildFunctions, buildMachines } from '../blueprint/functions';
import { buildElb } from '../blueprint/load-balancer';
import { Ready, Resources } from '../blueprint/resources';
import { buildRights } from '../blueprint/rights';
import type { World } from '../world';
import { CustomResourceFailed } from './custom-resources';
import { Redeployed } from './redeployed';
import { ELB_MOVES, Move, Moved, moveOther } from './moves';

/**
 * Deploys a changed assembly to a standing world, as CloudFormation would: only what changed is touched, in the order of
 * its dependencies; a failure puts everything back.
 *
 * @throws UsageError for an assembly that cannot be rehearsed, Error while another redeploy is under way; nothing is
 *   touched then
 */
export async function redeploy(world: World, stacks: readonly Stack[]): Promise<Redeployed> {
  const { stack, resources, secrets } = world.blueprint;
  const next = readBlueprint(stacks, stack.name, { identities: resources.identities, secrets });
  world.stack.begin();
  const update = new Update(world, next.stack);
  const redeployed = await update.run();
  world.stack.settle(redeployed.status, redeployed.reason);
  return redeployed;
}

const nameOf = ({ logicalId, type }: Move) => `'${logicalId}' (${type})`;

class Update {
  private readonly identities: Map<string, Identity>;
  private readonly before: Blueprint;
  private readonly applied: string[] = [];
  private readonly passedOver: string[] = [];
  /** In order; the last one may have failed. */
  private readonly moves: Move[] = [];
  /** What is deleted once nothing goes back any more. */
  private cleanUps: (() => Promise<void>)[] = [];

  constructor(
    private readonly world: World,
    private readonly next: Stack,
  ) {
    this.before = world.blueprint;
    this.identities = new Map(this.before.resources.identities);
  }

  async run(): Promise<Redeployed> {
    try {
      for (const logicalId of this.resourcesOf(this.next).logicalIds) await this.bring(logicalId, this.next);
      for (const logicalId of this.before.resources.logicalIds.reverse()) {
        if (!this.next.template.Resources?.[logicalId]) await this.bring(logicalId, this.next);
      }
    } catch (error) {
      return this.rollBack((error as Error).message);
    }
    this.adopt(this.next);
    return this.end('UPDATE_COMPLETE', await this.cleanUp());
  }

  /** Brings one resource to what the template says, if that is something else than before. */
  private async bring(logicalId: string, stack: Stack): Promise<void> {
    const resources = this.resourcesOf(stack);
    const [from, to] = [this.before.resources.find(logicalId), resources.find(logicalId)];
    const type = (to ?? from)?.type;
    if (type === undefined || textOf(from) === textOf(to)) return;
    const move = { logicalId, type, from, to };
    this.moves.push(move);
    const moved = await this.move(move, resources);
    if (moved) this[moved].push(nameOf(move));
  }

  private async move(move: Move, resources: Resources): Promise<Moved | undefined> {
    const { type, from, to } = move;
    const elbMove = ELB_MOVES[type];
    if (elbMove) return elbMove({ ...move, live: this.before.elb, wanted: buildElb(resources) });
    if (isRun(type)) return this.moveCustomResource(move);
    const { ref, attributes } = (to ?? from)?.identity ?? { ref: '', attributes: {} };
    if (type.startsWith('AWS::IAM::')) this.world.rights = buildRights(resources);
    else if (type === 'AWS::Lambda::Function') {
      const spec = buildFunctions(resources).find(({ arn }) => arn === attributes.Arn);
      if (spec) this.world.functions.put(spec);
    } else if (type === 'AWS::StepFunctions::StateMachine') {
      const machine = buildMachines(resources).find(({ arn }) => arn === ref);
      if (machine) this.world.states.add(machine);
    } else return moveOther(move);
    return 'applied';
  }

  private async moveCustomResource({ logicalId, from, to }: Move): Promise<Moved> {
    const present = this.identities.get(logicalId);
    if (!to) {
      if (from && present) this.deleteAtTheEnd(from, present.ref);
      return 'applied';
    }
    // It was to be deleted at the end, which did not come.
    if (!from && present) return 'applied';
    const { customResources } = this.world;
    const resource = customResource(to);
    const identity = await this.sent(logicalId, () =>
      from && present
        ? customResources.update(resource, customResource(from), present.ref)
        : customResources.create(resource),
    );
    this.identities.set(logicalId, identity);
    // Another physical id is another thing.
    if (from && present && identity.ref !== present.ref) this.deleteAtTheEnd(from, present.ref);
    return 'applied';
  }

  private deleteAtTheEnd(ready: Ready, physicalId: string): void {
    this.cleanUps.push(() => this.world.customResources.delete(customResource(ready), physicalId));
  }

  /** What failed to be created may be there in part, under the name that it gave itself. */
  private async sent(logicalId: string, send: () => Promise<Identity>): Promise<Identity> {
    try {
      return await send();
    } catch (error) {
      const physicalId = error instanceof CustomResourceFailed ? error.physicalId : undefined;
      if (physicalId !== undefined && !this.identities.has(logicalId)) {
        this.identities.set(logicalId, { ref: physicalId, attributes: {} });
      }
      throw error;
    }
  }

  /** The other way round, also what failed: its function gets an event with old and new swapped. */
  private async rollBack(reason: string): Promise<Redeployed> {
    this.cleanUps = [];
    const problems: string[] = [];
    for (const move of this.moves.reverse()) {
      try {
        await this.move({ ...move, from: move.to, to: move.from }, this.resourcesOf(this.before.stack));
      } catch (error) {
        problems.push((error as Error).message);
      }
    }
    this.adopt(this.before.stack);
    problems.push(...(await this.cleanUp()));
    this.applied.length = 0;
    if (problems.length === 0) return this.end('UPDATE_ROLLBACK_COMPLETE', [reason]);
    return this.end('UPDATE_ROLLBACK_FAILED', [reason, ...problems]);
  }

  private adopt(stack: Stack): void {
    const { secrets, elb } = this.before;
    this.world.adopt({ ...readBlueprint([stack], undefined, { identities: this.identities, secrets }), elb });
  }

  /** A thing that cannot be deleted is left, and said: the update stands. @returns what went wrong */
  private async cleanUp(): Promise<string[]> {
    const done = await Promise.allSettled(this.cleanUps.map((cleanUp) => cleanUp()));
    return done.flatMap((each) => (each.status === 'rejected' ? [(each.reason as Error).message] : []));
  }

  private end(status: StackStatus, reasons: readonly string[]): Redeployed {
    const { applied, passedOver } = this;
    return { status, ...(reasons.length > 0 && { reason: reasons.join('; ') }), applied, passedOver };
  }

  private resourcesOf(stack: Stack): Resources {
    return new Resources(stack, this.identities);
  }
}

/** Absent and without properties are two things. */
function textOf(ready: Ready | undefined): string | undefined {
  return ready && JSON.stringify(ready.properties.raw);
}
