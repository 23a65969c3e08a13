import { readFileSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { findAdvice } from '../../../bin/shared/operator-command';
import { Evidence, buildEvidence } from '../../../core/cutover/evidence';
import { looksKey, looksPrefix } from '../../../core/cutover/looks';
import { verifyVerdicts } from '../../../core/cutover/verify-verdicts';
import { CutoverError } from '../../../core/errors/errors';
import { runToTheEnd } from '../../lambda/judged-traffic';
import { run, temporaryFolder } from '../../rehearsal/command';
import { PLAN, baking } from './baking';
import { Night, OPERATOR, lockOf, startNight } from './night';

let night: Night;
/** What the function of `doctor` returns. */
let diagnosis: () => Promise<unknown>;
let asked: unknown[];
beforeEach(async () => {
  asked = [];
  const invoke = (arn: string, event: unknown) => {
    asked.push([arn.split(':').at(-1), event]);
    return diagnosis();
  };
  night = await startNight(PLAN, { invoke });
});
afterEach(() => night.cloud.stop());

const json = ({ output }: { readonly output: string }) => JSON.parse(output.slice(output.indexOf('{\n'))) as object;

describe('doctor', () => {
  const doctor = (...flags: string[]) => run(['doctor', '--stack', 'shop', ...flags]);

  test('asks the function with the deployed plan, and its exit code says what came of it', async () => {
    diagnosis = () => Promise.resolve({ readiness: 'ready', findings: [], notChecked: ['the probe write'] });
    expect(await doctor()).toEqual({
      code: 0,
      output:
        'ready: a preflight would find nothing\nnot checked, because it would change something:\n  the probe write\n',
    });
    expect(asked).toEqual([['doctor', { plan: PLAN }]]);
    // What rejects nothing is said, and changes no exit code.
    const warnings = ['stage 1 (5 %) gets about 3 requests'];
    diagnosis = () => Promise.resolve({ readiness: 'ready', findings: [], warnings, notChecked: [] });
    expect(await doctor()).toEqual({
      code: 0,
      output:
        'ready: a preflight would find nothing\n' +
        'WARNING, at the traffic of now (it rejects nothing: the rate of the night may differ):\n' +
        '  stage 1 (5 %) gets about 3 requests\n',
    });
    const findings = [{ code: 'SmokeFailed', message: 'the target must respond,\u001b[2J got 500' }];
    diagnosis = () => Promise.resolve({ readiness: 'refused', findings, notChecked: [] });
    expect(await doctor()).toEqual({
      code: 5,
      output: 'a cutover would be REJECTED:\n  SmokeFailed: the target must respond, [2J got 500\n',
    });
  });

  test('what keeps it from finding out is a code of its own, also as JSON', async () => {
    diagnosis = () => Promise.resolve({ readiness: 'unknown', findings: [], notChecked: [] });
    const unknown = await doctor('--json');
    expect([unknown.code, JSON.parse(unknown.output)]).toEqual([
      7,
      { stack: 'shop', readiness: 'unknown', findings: [], notChecked: [] },
    ]);
    night.cloud.endpoint.faults.set(
      { action: 'DescribeStacks' },
      { kind: 'status', status: 400, code: 'AccessDenied' },
    );
    const denied = await doctor();
    expect(denied.output).toContain("Your identity lacks this right: see 'Rights' in docs/operating.md.");
    expect(denied.code).toBe(7);
    expect(denied.output).toMatch(/CloudFormation must respond to DescribeStacks, got 400 AccessDenied/);
  });

  test('a stack that is not there is named with the place, and what needs no one is no failure', async () => {
    diagnosis = () => Promise.resolve({ readiness: 'underWay', findings: [], notChecked: [] });
    const [wrong, none, underWay] = await Promise.all([
      run(['doctor', '--stack', 'nope']),
      doctor('--cutover', 'nope'),
      doctor(),
    ]);
    expect([wrong, none]).toEqual([
      {
        code: 1,
        output:
          "drainshift: '--stack' must be a stack in eu-central-1, got 'nope', which does not exist there; '--region' and '--profile' choose another region and account\n",
      },
      { code: 1, output: "drainshift: 'shop' must have an output nope, got MigrationCutoverConfig1A2B3C4D\n" },
    ]);
    expect(underWay.code).toBe(0);
  });

  test('a plan that is less careful than the deployed one would be rejected', async () => {
    const file = join(temporaryFolder(), 'weak.json');
    writeFileSync(file, JSON.stringify({ stages: PLAN.stages }));
    const { code, output } = await doctor('--plan', file);
    expect([code, output]).toEqual([5, expect.stringContaining("  PlanInvalid: 'approval")]);
    expect(asked).toEqual([]);
  });
});

test('history lists what the evidence and Step Functions know, and evidence and report read the last one', async () => {
  const { state } = await baking();
  const evidence = buildEvidence(state, 'rolled-back', Date.now());
  night.write(`evidence/${state.execution}.json`, evidence);
  // Stopped, and put back by the recovery: the evidence is what counts.
  night.put(state.execution, 'Bake', state);
  night.end(state.execution, 'ABORTED');
  Object.assign(night.put('later', 'Lock'), {
    startedAt: new Date('2026-02-01T00:00:00Z'),
    input: '{"startedBy":"ann"}',
  });
  const folder = temporaryFolder();
  const [listed, table, file, printed, page] = await Promise.all([
    run(['history', '--stack', 'shop', '--json']),
    run(['history', '--stack', 'shop', '--max', '1']),
    run(['evidence', '--stack', 'shop', '--output', join(folder, 'e.json'), '--json']),
    run(['evidence', '--stack', 'shop', '--execution', state.execution]),
    run(['report', '--stack', 'shop', '--output', join(folder, 'e.html')]),
  ]);
  expect(json(listed)).toMatchObject({
    cutovers: [
      { execution: 'later', outcome: 'under way', startedBy: 'ann' },
      { execution: state.execution, outcome: 'rolledBack', startedBy: OPERATOR },
    ],
  });
  expect(table.output).toMatch(
    /^STARTED \(UTC\) +CUTOVER +OUTCOME +TOOK +STARTED BY +BECAUSE\n2026-02-01 00:00:00 +later +under way/,
  );
  expect([listed, table, file, printed, page].map(({ code }) => code)).toEqual([0, 0, 0, 0, 0]);
  expect(JSON.parse(file.output)).toEqual({
    stack: 'shop',
    execution: state.execution,
    output: join(folder, 'e.json'),
  });
  expect(JSON.parse(printed.output)).toEqual(JSON.parse(JSON.stringify(evidence)));
  expect(JSON.parse(readFileSync(join(folder, 'e.json'), 'utf8'))).toEqual(JSON.parse(printed.output));
  expect(readFileSync(join(folder, 'e.html'), 'utf8')).toMatch(/^<!doctype html>[^]*rolled-back/);
  night.write('evidence/broken.json', { schema: evidence.schema, execution: 'broken', timeline: [null] });
  const [broken, again, none, html] = await Promise.all([
    run(['history', '--stack', 'shop', '--max', '2']),
    run(['evidence', '--stack', 'shop', '--output', join(folder, 'e.json')]),
    run(['report', '--stack', 'shop', '--execution', 'later']),
    run(['report', '--stack', 'shop', '--json']),
  ]);
  expect([html.code, html.output]).toEqual([64, expect.stringContaining("'--output' must be given with '--json'")]);
  expect([broken.code, broken.output]).toEqual([
    0,
    expect.stringMatching(
      /^unknown +broken +unknown.* its evidence is damaged: 'startedAt' must be a time, got nothing$/m,
    ),
  ]);
  expect([again.code, again.output]).toEqual([64, expect.stringContaining("'--output' must not exist, or --force")]);
  expect([none.code, none.output]).toEqual([1, expect.stringContaining("'later' must have left evidence, got none")]);
});

test('evidence and report have what the objects of the store have, and say which are gone', async () => {
  const { evidence, looks } = await runToTheEnd();
  night.write('evidence/night.json', evidence[0]!);
  looks.forEach((records, at) => night.write(looksKey(looksPrefix('night'), at + 1), records));
  const whole = await run(['evidence', '--stack', 'shop']);
  const fetched = JSON.parse(whole.output) as Evidence;
  expect(verifyVerdicts(fetched)).toMatchObject({ differences: [], contradictions: [], missing: [] });
  expect(fetched.looks).toEqual(JSON.parse(JSON.stringify([...looks.flat(), ...evidence[0]!.looks!])));
  night.cloud.objects.put('store', looksKey(looksPrefix('night'), 2), Buffer.from('[{"kind":'));
  const [cut, page] = await Promise.all([run(['evidence', '--stack', 'shop']), run(['report', '--stack', 'shop'])]);
  const says = `1 of ${looks.length} objects of polls must be in the store, got none or damaged ones, as 'looks/night/000002.json'`;
  expect([cut.code, (JSON.parse(cut.output) as Evidence).looksMissing]).toEqual([0, says]);
  expect([page.code, page.output]).toEqual([0, expect.stringContaining('looks/night/000002.json')]);
});

test.each([
  ['', 'it must be JSON, got an empty file'],
  ['{"schema":"drainshift/ev', 'it must be whole JSON, got Unterminated string'],
  ['[]', 'evidence must be a JSON object, got []'],
  ['{"schema":"drainshift/evidence/1","looksIn":7}', "'looksIn' must be an object with 'prefix'"],
])('damaged evidence (%s) is written as it is, drawn by no report, and said in the history', async (text, said) => {
  night.cloud.objects.put('store', 'evidence/cut.json', Buffer.from(text));
  const [written, report, history] = await Promise.all(
    ['evidence', 'report', 'history'].map((verb) => run([verb, '--stack', 'shop'])),
  );
  expect([written!.code, report!.code, history!.code]).toEqual([1, 1, 0]);
  expect(written!.output).toContain(text);
  for (const { output } of [written!, report!]) {
    expect(output).toContain(`drainshift: the evidence of 'cut' is damaged: ${said}`);
  }
  expect(history!.output).toContain(`its evidence is damaged: ${said}`);
});

test('a lock that an ended cutover has kept: every command says how it is freed', async () => {
  night.put('stuck', 'Rollback');
  night.end('stuck', 'FAILED', 'RollbackUnsafe');
  night.write('lock.json', lockOf('stuck'));
  const verbs = ['weights set --source 1 --target 0 --force --yes', 'undrain', 'start --yes', 'abort --yes'];
  const all = await Promise.all(verbs.map((verb) => run([...verb.split(' '), '--stack', 'shop'])));
  night.shift(0, 100);
  for (const { code, output } of [...all, await run(['rollback', '--stack', 'shop', '--yes'])]) {
    expect(code).toBe(1);
    expect(output).toContain(
      "held by 'stuck' since 2026-01-01T00:00:00.000Z, which has ended as RollbackUnsafe and keeps the lock, because a person has to decide. Look at the weights, and free the lock: aws s3 rm s3://store/lock.json. Then run this command again",
    );
  }
});

test('where no call can be made it is said what is wrong, and not that AWS is away', async () => {
  const status = (...flags: string[]) => run(['status', '--stack', 'shop', ...flags]);
  const [profile, host, url, region] = await Promise.all([
    withoutKeys(() => status('--profile', 'nope')),
    status('--endpoint-url', 'http://eu-centrl-1.invalid'),
    status('--endpoint-url', 'notaurl'),
    status('--region', 'eu central'),
  ]);
  expect([profile.code, host.code, url.code, region.code]).toEqual([1, 1, 64, 64]);
  expect(profile.output).toMatch(/\nGive credentials as to the AWS CLI: '--profile'/);
  expect(host.output).toMatch(/\nNo address is known for this host: check '--region'/);
  expect(url.output).toContain('must be a URL of http or https, got "notaurl"');
  expect(region.output).toContain('must be a region, such as eu-central-1, got "eu central"');
});

/** A process has the environment of its start. */
function withoutKeys<T>(work: () => T): T {
  const { AWS_ACCESS_KEY_ID, AWS_SECRET_ACCESS_KEY } = process.env;
  delete process.env.AWS_ACCESS_KEY_ID;
  delete process.env.AWS_SECRET_ACCESS_KEY;
  try {
    return work();
  } finally {
    Object.assign(process.env, { AWS_ACCESS_KEY_ID, AWS_SECRET_ACCESS_KEY });
  }
}

test.each([
  ['CredentialsProviderError', 'The SSO session associated with this profile has expired', 'sign in again'],
  ['CredentialsProviderError', "Token is expired. To refresh this SSO session run 'aws sso login'", 'sign in again'],
  ['CredentialsProviderError', 'Could not load credentials from any providers', 'Give credentials'],
  ['ExpiredTokenException', 'The security token included in the request is expired', 'sign in again'],
  ['InvalidClientTokenId', 'The security token included in the request is invalid', 'does not accept your credentials'],
  ['Error', 'connect ECONNREFUSED', 'AWS did not respond'],
])('%s (%s): its advice is found behind the error that it caused', (name, message, advice) => {
  const cause = Object.assign(new Error(message), { name });
  expect(findAdvice(new CutoverError('AwsUnavailable', 'CloudFormation must respond', { cause }))).toContain(advice);
});
