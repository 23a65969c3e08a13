import { CutoverError } from '../errors/errors';
import { Forward, GroupArns } from './forward';
import { LiveRule } from './weighted-rule';
import { ListenerRule, wayPast } from './bypass-rules';
import { SIDES, Side } from './weights';

/** A weighted rule on a listener that serves its requests without it, too: they come through the proxies, or go past them. */
export interface AdoptionState {
  /** How many of 100 requests come through the proxies. */
  readonly share: number;
  /** The side whose proxies they come through; undefined while none do. */
  readonly side?: Side;
  /** The group that takes the rest; undefined where no backend serves past the proxies. */
  readonly pastArn?: string;
}

/** What a person asks for. */
export interface AdoptionRequest {
  /** An integer from 0 to 100. */
  readonly share: number;
  /** The side to come through; needed only where it is not clear. */
  readonly side?: Side;
  /** The group that takes the rest, named by a person who knows that it serves what the target serves. */
  readonly pastArn?: string;
}

export interface AdoptedRule {
  readonly rule: LiveRule;
  readonly others: readonly ListenerRule[];
  readonly groupArns: GroupArns;
}

/** What of the requests comes through the proxies now. */
export function readAdoption({ rule, others, groupArns }: AdoptedRule): AdoptionState {
  const serving = findServing(rule);
  const sum = serving.reduce((total, { weight }) => total + weight, 0);
  const sides = SIDES.filter((side) => serving.some(({ arn }) => arn === groupArns[side]));
  const through = serving.filter(({ arn }) => isSide(arn, groupArns)).reduce((total, { weight }) => total + weight, 0);
  const named = serving.find(({ arn }) => !isSide(arn, groupArns))?.arn;
  const past = wayPast(rule, others);
  const pastArn = named ?? (past.kind === 'group' ? past.arn : undefined);
  return {
    share: sum === 0 ? 0 : (100 * through) / sum,
    ...(sides.length === 1 && { side: sides[0] }),
    ...(pastArn !== undefined && { pastArn }),
  };
}

/**
 * The action with which this share of the requests comes through the proxies of one side, and the rest goes where the
 * listener would send it without the rule: so that a rule which sends all of them past can be deleted, and nothing changes.
 *
 * @throws CutoverError `NotAdoptable`
 */
export function adoptionForward(adopted: AdoptedRule, request: AdoptionRequest): { forward: Forward; side: Side } {
  const { rule, groupArns } = adopted;
  const past = pastGroup(adopted, request);
  const side = sideFor(adopted, request, past);
  if (past !== undefined && past === rule.oldGroupArn && side === 'target') {
    throw notAdoptable(`'${past}' must not take requests from the target: it is the side that they have left`);
  }
  const groups = [
    ...(request.share > 0 ? [{ arn: groupArns[side], weight: request.share }] : []),
    ...(past === undefined ? [] : [{ arn: past, weight: 100 - request.share }]),
  ];
  const stickiness = rule.forward?.stickiness ?? { enabled: false, seconds: 0 };
  return { forward: { groups, stickiness }, side };
}

/** Undefined where nothing goes past. */
function pastGroup({ rule, others }: AdoptedRule, { share, pastArn }: AdoptionRequest): string | undefined {
  if (share === 100) return undefined;
  const past = wayPast(rule, others);
  if (past.kind !== 'group') {
    const got = past.kind === 'nothing' ? 'no backend' : past.why;
    throw notAdoptable(`the listener must have one group that serves the requests past the proxies, got ${got}`);
  }
  if (pastArn !== undefined && pastArn !== past.arn) {
    throw notAdoptable(
      `'--past' must be where the listener sends the requests without the rule, '${past.arn}', got '${pastArn}'`,
    );
  }
  if (pastArn === undefined && past.arn !== rule.oldGroupArn) {
    const got = `'${past.arn}', and not the group that served before the rule`;
    throw notAdoptable(`'--past' must name the group that takes the requests from the proxies, because it is ${got}`);
  }
  return past.arn;
}

function sideFor({ rule, groupArns }: AdoptedRule, { side }: AdoptionRequest, past: string | undefined): Side {
  const serving = findServing(rule);
  const [present, other] = SIDES.filter((each) => serving.some(({ arn }) => arn === groupArns[each]));
  if (other) throw notAdoptable('one side must have all of the weight while requests go past the proxies, got both');
  if (present && side && side !== present) {
    throw notAdoptable(
      `'--side' must be the side that serves, ${present}, got ${side}; a cutover moves it to the other one`,
    );
  }
  const before = serving.find(({ arn }) => !isSide(arn, groupArns))?.arn ?? past;
  const found = present ?? side ?? (before === rule.oldGroupArn ? 'source' : undefined);
  if (found) return found;
  throw notAdoptable(
    "'--side' must be given where all requests go past the proxies to another group than before, got none",
  );
}

function findServing({ forward }: LiveRule): Forward['groups'] {
  return forward?.groups.filter(({ weight }) => weight > 0) ?? [];
}

function isSide(arn: string, groupArns: GroupArns): boolean {
  return SIDES.some((side) => groupArns[side] === arn);
}

function notAdoptable(message: string): CutoverError {
  return new CutoverError('NotAdoptable', message);
}
