import { spawnSync } from 'node:child_process';
import { existsSync, mkdtempSync, readFileSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join, resolve } from 'node:path';

const ROOT = resolve(__dirname, '../..');
let folder: string;

beforeEach(() => {
  folder = mkdtempSync(join(tmpdir(), 'drainshift-app-'));
});

afterEach(() => rmSync(folder, { recursive: true, force: true }));

/** As the CDK's own command runs an app, without account, region or network. */
function synth(drainshift: unknown, { validated = false, asked = {} } = {}): { status: number | null; stderr: string } {
  const env = {
    PATH: process.env.PATH ?? '',
    CDK_OUTDIR: folder,
    CDK_VALIDATION: String(validated),
    CDK_CONTEXT_JSON: JSON.stringify({ ...contextOfCdkJson(), drainshift, ...asked }),
  };
  return spawnSync(process.execPath, ['dist/bin/app.js'], { cwd: ROOT, env, encoding: 'utf8' });
}

function contextOfCdkJson(): Record<string, unknown> {
  const file = JSON.parse(readFileSync(join(ROOT, 'cdk.json'), 'utf8')) as { context: Record<string, unknown> };
  return file.context;
}

/** The manifest, and the report, which is there when there is something to report. */
const manifest = () =>
  ['manifest.json', 'validation-report.json']
    .map((name) => join(folder, name))
    .filter(existsSync)
    .map((path) => readFileSync(path, 'utf8'))
    .join('');

test('synthesizes with the settings of cdk.json, and warns while they are the examples', () => {
  const { status, stderr } = synth(contextOfCdkJson().drainshift, { validated: true });
  expect([status, stderr]).toEqual([0, expect.any(String)]);
  expect(existsSync(join(folder, 'Drainshift.template.json'))).toBe(true);
  expect(manifest()).toContain('Set domainName, certificateArn, sourceUrl, targetUrl in the context');
});

test('takes its settings from the context', () => {
  const settings = {
    domainName: 'www.mine.test',
    certificateArn: 'arn:aws:acm:eu-west-1:444455556666:certificate/22222222-3333-4444-5555-666666666666',
    sourceUrl: 'http://10.0.0.1:8080',
    targetUrl: 'http://10.0.0.2:8080',
    internetFacing: true,
  };
  const { status, stderr } = synth(settings);
  expect([status, stderr]).toEqual([0, '']);
  const template = readFileSync(join(folder, 'Drainshift.template.json'), 'utf8');
  for (const value of ['www.mine.test', settings.certificateArn, settings.sourceUrl, settings.targetUrl]) {
    expect(template).toContain(value);
  }
  expect(template).toContain('internet-facing');
  expect(manifest()).not.toContain('exampleSettings');
});

test.each([
  [
    { sourceURL: 'http://10.0.0.1' },
    "'context.drainshift' must have domainName, certificateArn, sourceUrl, targetUrl, internetFacing alone, got sourceURL",
  ],
  [{ internetFacing: 'yes' }, `'context.drainshift.internetFacing' must be a boolean, got "yes"`],
  ['shop', `'context.drainshift' must be an object, got "shop"`],
])('rejects wrong settings %j', (settings, message) => {
  const { status, stderr } = synth(settings);
  expect(status).not.toBe(0);
  expect(stderr).toContain(message);
});

test('records the traffic of the source in a bucket, or in a topic of MSK Serverless in the network of the proxies', () => {
  const { drainshift } = contextOfCdkJson();
  const find = (capture: string) => {
    const { status, stderr } = synth(drainshift, { validated: true, asked: { 'drainshift:capture': capture } });
    expect([capture, status, stderr]).toEqual([capture, 0, expect.any(String)]);
    return readFileSync(join(folder, 'Drainshift.template.json'), 'utf8');
  };
  expect(find('s3')).toMatch(/"DRAINSHIFT_CAPTURE"[^}]*"s3:/);
  const template = find('kafka');
  expect(template).toMatch(/"DRAINSHIFT_CAPTURE"[^}]*"kafka\+iam:/);
  expect(template).toContain('AWS::MSK::ServerlessCluster');
  expect(template.match(/"AWS::EC2::VPC"/g)).toHaveLength(1);
  const wrong = synth(drainshift, { asked: { 'drainshift:capture': 'kinesis' } });
  expect(wrong.stderr).toContain(`'context.drainshift:capture' must be s3 or kafka, got "kinesis"`);
});
