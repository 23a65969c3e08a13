import { own } from '../../core/validation/own';
import { randomBytes } from 'node:crypto';
import { listReferences } from '../template/assembly/dependencies';
import type { Identity } from '../template/assembly/resolve';
import type { Stack } from '../template/assembly/template';
import type { StackStatus } from '../aws/services/stacks/stacks-service';
import { StackModel, readStackModel } from '../template/model/stack-model';
import { GROUP_GUARD, customResource, isRun } from '../template/parts/custom-resources';
import { STATE_MACHINE, buildFunctions, buildMachines } from '../template/parts/functions';
import { buildElb } from '../template/parts/load-balancer';
import { Ready, Resources } from '../template/resources/resources';
import { buildRights } from '../template/parts/rights';
import type { DeployedStack } from '../stack/deployed-stack';
import { CustomResourceFailed } from '../stack/custom-resources';
import { ELB_MOVES, Move, Moved, moveOther } from './moves';
import { readNextStack } from './next-stack';
import { Redeployed } from './redeployed';
import { replacedGroups } from './replaced-groups';

/**
 * Deploys a changed assembly to a standing stack, as CloudFormation would: only what changed is touched, in the order of
 * its dependencies; a failure puts everything back; what goes is deleted at the end.
 *
 * @throws UsageError for an assembly that cannot be rehearsed, Error while another redeploy is under way; nothing is
 *   touched then
 */
export async function redeploy(deployed: DeployedStack, stacks: readonly Stack[]): Promise<Redeployed> {
  const update = new Update(deployed, readNextStack(deployed.model, stacks));
  deployed.begin();
  const redeployed = await update.run();
  deployed.settle(redeployed.status, redeployed.reason);
  return redeployed;
}

const formatName = ({ logicalId, type }: Pick<Move, 'logicalId' | 'type'>) => `'${logicalId}' (${type})`;

class Update {
  private readonly before: StackModel;
  private readonly next: Stack;
  private readonly identities: Map<string, Identity>;
  /** What the next resources are told of target groups that would be others, without being so here. */
  private readonly announced: ReadonlyMap<string, Identity>;
  private readonly applied: string[] = [];
  private readonly passedOver: string[] = [];
  /** In order; the last one may have failed. */
  private readonly moves: Move[] = [];
  /** New in the template, and not there: what refers to one of them cannot be there either. */
  private readonly absent = new Set<string>();
  /** What was replaced, to be deleted once no rollback is possible. */
  private leftovers: { readonly ready: Ready; readonly physicalId: string }[] = [];

  constructor(
    private readonly deployed: DeployedStack,
    next: StackModel,
  ) {
    this.before = deployed.model;
    this.next = next.stack;
    const { running, announced } = replacedGroups(this.before, next);
    this.identities = new Map([...this.before.resources.identities, ...running]);
    this.announced = announced;
  }

  async run(): Promise<Redeployed> {
    const next = this.listResources(this.next);
    try {
      for (const logicalId of next.logicalIds) await this.bring(logicalId);
      this.apply(this.next);
    } catch (error) {
      return this.rollBack((error as Error).message);
    }
    const gone = this.before.resources.logicalIds.reverse().filter((logicalId) => !next.find(logicalId));
    const problems = await this.cleanUp(
      gone.map((logicalId) => this.before.resources.find(logicalId)),
      (ready, moved) => this[moved].push(formatName(ready)),
    );
    return this.end('UPDATE_COMPLETE', problems);
  }

  /** Brings one resource to what the template says, if that is something else than before. */
  private async bring(logicalId: string): Promise<void> {
    const [from, to] = [this.before.resources.describe(logicalId), this.wanted(logicalId)];
    if (!to || readText(from) === readText(to)) return;
    const { type } = to;
    const move = { logicalId, type, from, to };
    this.moves.push(move);
    const moved = this.leansOnAbsent(move) ? 'passedOver' : await this.move(move, this.listResources(this.next));
    if (moved === 'passedOver') {
      this.moves.pop();
      if (!from) this.absent.add(logicalId);
    }
    if (moved) this[moved].push(formatName(move));
  }

  /** The guard of the groups makes nothing, so it can be asked of groups that are not there. */
  private wanted(logicalId: string): Ready | undefined {
    const isGuard = own(this.next.template.Resources, logicalId)?.Type === GROUP_GUARD;
    const identities = new Map([...this.identities, ...(isGuard ? this.announced : [])]);
    return new Resources(this.next, identities).describe(logicalId);
  }

  private leansOnAbsent({ logicalId, type }: Move): boolean {
    const resource = own(this.next.template.Resources, logicalId);
    const isFollowed = Object.hasOwn(ELB_MOVES, type) || (isRun(type) && type !== GROUP_GUARD);
    return isFollowed && resource !== undefined && listReferences(resource).some((id) => this.absent.has(id));
  }

  private async move(move: Move, resources: Resources): Promise<Moved | undefined> {
    const { type, to } = move;
    const elbMove = own(ELB_MOVES, type);
    if (elbMove)
      return elbMove({
        ...move,
        live: this.before.elb,
        wanted: buildElb(resources, this.before.config.loadBalancerArn),
      });
    if (isRun(type)) return this.moveCustomResource(move);
    if (type.startsWith('AWS::IAM::')) {
      if (to) this.deployed.putRights(buildRights(resources));
      return 'applied';
    }
    if (type === 'AWS::Lambda::Function') {
      const spec = buildFunctions(resources).find(({ arn }) => arn === to?.identity.attributes.Arn);
      if (spec) this.deployed.putFunction(spec);
      return spec ? 'applied' : 'passedOver';
    }
    if (type === STATE_MACHINE) {
      const machine = buildMachines(resources).find(({ arn }) => arn === to?.identity.ref);
      if (machine) this.deployed.putMachine(machine);
      return machine ? 'applied' : 'passedOver';
    }
    return moveOther(move);
  }

  private async moveCustomResource({ logicalId, from, to }: Move): Promise<Moved> {
    const present = this.identities.get(logicalId);
    if (!to) {
      try {
        if (from && present) await this.deployed.customResources.delete(customResource(from), present.ref);
      } finally {
        this.identities.delete(logicalId);
      }
      return 'applied';
    }
    const { customResources } = this.deployed;
    const resource = customResource(to);
    const identity = await this.sent(logicalId, () =>
      from && present
        ? customResources.update(resource, customResource(from), present.ref)
        : customResources.create(resource),
    );
    this.identities.set(logicalId, identity);
    // Another physical id is another thing.
    if (from && present && identity.ref !== present.ref) this.leftovers.push({ ready: from, physicalId: present.ref });
    return 'applied';
  }

  /** What failed to be created may be there in part, under the name that it gave itself, or else one that is made up. */
  private async sent(logicalId: string, send: () => Promise<Identity>): Promise<Identity> {
    try {
      return await send();
    } catch (error) {
      const madeUp = `${this.next.name}-${logicalId}-${randomBytes(6).toString('hex').toUpperCase()}`;
      const { physicalId = madeUp } = error instanceof CustomResourceFailed ? error : {};
      if (!this.identities.has(logicalId)) this.identities.set(logicalId, { ref: physicalId, attributes: {} });
      throw error;
    }
  }

  /** The other way round, also what failed: its function gets an event with old and new swapped. */
  private async rollBack(reason: string): Promise<Redeployed> {
    this.leftovers = [];
    const problems: string[] = [];
    const moves = this.moves.reverse();
    for (const move of moves.filter(({ from }) => from)) {
      try {
        await this.move({ ...move, from: move.to, to: move.from }, this.listResources(this.before.stack));
      } catch (error) {
        problems.push((error as Error).message);
      }
    }
    this.apply(this.before.stack);
    this.applied.length = 0;
    const status = problems.length === 0 ? 'UPDATE_ROLLBACK_COMPLETE' : 'UPDATE_ROLLBACK_FAILED';
    problems.push(...(await this.cleanUp(moves.filter(({ from }) => !from).map(({ to }) => to))));
    return this.end(status, [reason, ...problems]);
  }

  private apply(stack: Stack): void {
    const { secrets, elb, domain } = this.before;
    this.deployed.apply({
      ...readStackModel([stack], undefined, { identities: this.identities, secrets, domain }),
      elb,
    });
  }

  /**
   * Deletes what was replaced, and what is gone from the template. A thing that cannot be deleted is left, and said: what
   * was done stands.
   *
   * @returns what went wrong
   */
  private async cleanUp(
    gone: readonly (Ready | undefined)[],
    tell: (ready: Ready, moved: Moved) => void = () => undefined,
  ): Promise<string[]> {
    const problems: string[] = [];
    const attempt = async (work: () => Promise<void>) => {
      await work().catch((error: Error) => problems.push(error.message));
    };
    for (const { ready, physicalId } of this.leftovers) {
      await attempt(() => this.deployed.customResources.delete(customResource(ready), physicalId));
    }
    for (const from of gone) {
      if (!from) continue;
      await attempt(async () => {
        const { logicalId, type } = from;
        const moved = await this.move({ logicalId, type, from, to: undefined }, this.before.resources);
        if (moved) tell(from, moved);
      });
    }
    return problems;
  }

  private end(status: StackStatus, reasons: readonly string[]): Redeployed {
    const { applied, passedOver } = this;
    return { status, ...(reasons.length > 0 && { reason: reasons.join('; ') }), applied, passedOver };
  }

  private listResources(stack: Stack): Resources {
    return new Resources(stack, this.identities);
  }
}

/** Absent and without properties are two things. */
function readText(ready: Ready | undefined): string | undefined {
  return ready && JSON.stringify(ready.properties.raw);
}
