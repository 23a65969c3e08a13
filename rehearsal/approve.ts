import { own } from '../core/own';
import { ApprovalGate, approvalKey } from '../core/approval';
import type { Screen } from './report/screen';
import { shellWord } from './shell-word';
import type { ExecutionDescription } from './state-machine/model';
import type { World } from './world';

/** The states in which a cutover asks a person. */
const GATES: Readonly<Record<string, ApprovalGate | undefined>> = {
  Approve: 'firstShift',
  ApproveLastStage: 'lastStage',
};

/** Told of every state that is entered: answers for the person who is asked at AWS, or says how a person here does. */
export function approve(execution: ExecutionDescription, world: World, screen: Screen, isAsked: boolean): void {
  const { name, entered, status } = execution;
  const state = entered.at(-1)?.state ?? '';
  const gate = own(GATES, state);
  if (gate === undefined || status !== 'RUNNING') return;
  const { storeBucket } = world.blueprint.wiring;
  const key = approvalKey(name, gate);
  // It looks again and again.
  if (world.objects.find(storeBucket, key) || entered.filter((each) => each.state === state).length > 1) return;
  if (isAsked) {
    const put = `aws --endpoint-url ${world.endpoint.url} s3api put-object --bucket ${shellWord(storeBucket)} --key ${shellWord(key)} --body FILE`;
    return screen.step(`waits for your approval: ${put}, with {"decision":"approve","by":"…"} in FILE`);
  }
  const word = { decision: 'approve', by: 'the rehearsal', at: new Date().toISOString() };
  world.objects.put(storeBucket, key, Buffer.from(JSON.stringify(word)));
  return screen.step(`a person is asked to approve '${key}' here: the rehearsal does`);
}
