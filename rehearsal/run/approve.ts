import { GateName, approvalKey, buildStatement, findGate } from '../../core/approval/approval';
import { STATEMENT_SECONDS, Statement } from '../../core/approval/statement';
import type { ProgressReporter } from '../progress/progress-reporter';
import { shellWord } from '../../core/text/shell-word';
import { findAskedGate } from '../../core/cutover/escalation';
import type { CutoverRun } from '../../core/cutover/run';
import type { ExecutionDescription, StateVisit } from '../state-machine/model';
import type { LocalCloud } from '../cloud/local-cloud';
import { OPERATOR_KEY_ID } from '../cloud/operator-key';

/** What a state asks, by the run that it was given. */
function findAsked({ state, input }: StateVisit): GateName | undefined {
  return input === undefined ? undefined : findAskedGate(state, JSON.parse(input) as CutoverRun);
}

/** Told of every state that is entered: approves for the person who is asked at AWS, or says how a person here does. */
export function approve(
  execution: ExecutionDescription,
  cloud: LocalCloud,
  reporter: ProgressReporter,
  isAsked: boolean,
): void {
  const { name, entered, status } = execution;
  const last = entered.at(-1);
  const gate = last && findAsked(last);
  if (gate === undefined || status !== 'RUNNING') return;
  const { storeBucket } = cloud.model.config;
  const key = approvalKey(name, gate);
  // It looks again and again.
  if (cloud.objects.find(storeBucket, key) || entered.filter((each) => findAsked(each) === gate).length > 1) return;
  if (isAsked) {
    const { name: stack, region } = cloud.model.stack;
    const command = `npx drainshift approve --stack ${shellWord(stack)} --region ${region} --execution ${shellWord(name)} --gate ${gate}`;
    const where = `AWS_ENDPOINT_URL=${cloud.endpoint.url} AWS_ACCESS_KEY_ID=${OPERATOR_KEY_ID} AWS_SECRET_ACCESS_KEY=rehearsal`;
    return reporter.step(`waits for your approval: ${where} ${command}`);
  }
  // What the judge is not sure of is no rehearsal's to say.
  const decision = findGate(gate) === 'judge' ? 'reject' : 'approve';
  const nowMs = Date.now();
  const says = buildStatement({ decision, gate, execution: name }, storeBucket);
  const word = {
    decision,
    by: 'the rehearsal',
    at: new Date(nowMs).toISOString(),
    statement: madeUp(says, cloud, nowMs),
  };
  cloud.objects.put(storeBucket, key, Buffer.from(JSON.stringify(word)));
  return reporter.step(`a person is asked to approve '${key}' here: the rehearsal ${decision}s it`);
}

/** The endpoint checks no signatures; all the rest of it is as a person's. */
function madeUp(says: string, { endpoint, model }: LocalCloud, nowMs: number): Statement {
  const date = new Date(nowMs).toISOString().replace(/[-:]|\.\d{3}/g, '');
  return {
    says,
    host: new URL(endpoint.url).host,
    credential: `REHEARSAL/${date.slice(0, 8)}/${model.stack.region}/sts/aws4_request`,
    date,
    expires: STATEMENT_SECONDS,
    signature: '0'.repeat(64),
  };
}
