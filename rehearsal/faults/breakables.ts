import { readFileSync } from 'node:fs';
import https from 'node:https';
import type { Side } from '../../core/traffic/weights';
import type { FaultySide } from '../backend/faulty-side';
import type { LocalCloud } from '../cloud/local-cloud';
import { OPERATOR_KEY_ID } from '../cloud/operator-key';
import type { ExecutionDescription } from '../state-machine/model';

/** What a fault of a rehearsal, or of a row of the bench, works on. */
export interface Breakables {
  readonly cloud: LocalCloud;
  /** The backends that can be broken: those of the sides that the fault names. */
  readonly sides: Partial<Readonly<Record<Side, FaultySide>>>;
  /** The clients begin nothing more. */
  readonly stopTraffic: () => void;
}

/** The proxy tasks of a side that are to stay. */
export function listProxies(cloud: LocalCloud, side: Side) {
  const arn = findServiceArn(cloud, side);
  return [...cloud.tasks.tasks.values()].filter(
    ({ serviceArn, status, desiredStatus }) =>
      serviceArn === arn && status === 'RUNNING' && desiredStatus === 'RUNNING',
  );
}

/** @throws Error when there is none */
export function findServiceArn({ tasks, model }: LocalCloud, side: Side): string {
  const name = model.config.serviceNames[side];
  for (const [arn, service] of tasks.services) if (service.name === name) return arn;
  throw new Error(`'${name}' must be a service, got none`);
}

/** Of the function that is a step of the cutover. @throws Error when the state calls none */
export function findFunctionArn({ model }: LocalCloud, state: string): string {
  const { States } = JSON.parse(model.machine.definition) as {
    States: Record<string, { Parameters?: { FunctionName?: string } }>;
  };
  const arn = States[state]?.Parameters?.FunctionName;
  if (arn === undefined) throw new Error(`the state '${state}' must call a function, got none`);
  return arn;
}

/** A person's request to stop, as the runbook says it. */
export function requestAbort({ objects, model }: LocalCloud, { name }: ExecutionDescription): void {
  objects.put(model.config.storeBucket, `abort/${name}.json`, { body: Buffer.from('{}') });
}

/** A call of a person to the load balancer's API. */
export async function callElb({ endpoint, model }: LocalCloud, body: Record<string, string>): Promise<void> {
  const place = `20260101/${model.stack.region}/elasticloadbalancing/aws4_request`;
  const response = await fetch(endpoint.url, {
    method: 'POST',
    headers: {
      'content-type': 'application/x-www-form-urlencoded',
      authorization: `AWS4-HMAC-SHA256 Credential=${OPERATOR_KEY_ID}/${place}`,
    },
    body: new URLSearchParams({ ...body, Version: '2015-12-01' }),
  });
  if (!response.ok) throw new Error(`${body.Action} must succeed, got ${response.status} ${await response.text()}`);
}

/** An upload whose end takes so long; its response is of no interest. */
export function sendEndless({ model: { config, elb }, caFile }: LocalCloud, ms: number): void {
  const { port } = elb.listener(config.weightedListenerArn);
  const name = { servername: config.domainName, headers: { host: config.domainName } };
  const options = { host: '127.0.0.1', port, ca: readFileSync(caFile), ...name };
  const upload = https.request({ ...options, method: 'POST', path: '/echo', agent: false });
  upload.on('error', () => undefined).on('response', (response) => void response.resume());
  upload.write('x');
  setTimeout(() => upload.end(), ms);
}
