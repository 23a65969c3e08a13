import { rmSync } from 'node:fs';
import { standUp } from '../../../rehearsal/run/rehearse';
import { changedApp } from '../changed-app';
import { synthesize, temporaryFolder } from '../command';

const ports = new Map([443, 9201, 9202].map((port) => [port, 0]));
const reporter = {
  isLive: false,
  step: () => undefined,
  progress: () => undefined,
  switching: () => undefined,
  switched: () => undefined,
};
const never = new AbortController().signal;

let folder: string;
let app: string;
beforeAll(() => {
  folder = temporaryFolder();
  app = synthesize(folder);
});
afterAll(() => rmSync(folder, { recursive: true, force: true }));

const start = (changed: string) =>
  standUp({ app: changed, speed: 60, traffic: 0.2, seed: 1, command: 'test', version: '0', ports }, reporter, never);

interface Statement {
  readonly Action: string | readonly string[];
}

test('its function is held to the policies of its role', async () => {
  const changed = changedApp(app, 'without-right', (type, properties) => {
    if (type !== 'AWS::IAM::Policy') return;
    const document = properties.PolicyDocument as { Statement: Statement[] };
    const isOther = ({ Action }: Statement) => ![Action].flat().includes('elasticloadbalancing:CreateRule');
    document.Statement = document.Statement.filter(isOther);
  });
  await expect(start(changed)).rejects.toThrow(
    /^'\w+' \(Custom::DrainshiftWeightedRule\) must be created, got FAILED: .*not authorized to perform: elasticloadbalancing:CreateRule/,
  );
});

test('what the load balancer rejects at creation is a failure of the deployment', async () => {
  const changed = changedApp(app, 'wrong-path', (type, properties) => {
    if (type === 'Custom::DrainshiftWeightedRule') properties.PathPatterns = ['x'.repeat(129)];
  });
  await expect(start(changed)).rejects.toThrow(/must be created, got FAILED: .*129|must have 1 to 128 characters/);
});
