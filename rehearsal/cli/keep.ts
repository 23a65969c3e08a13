import { once } from 'node:events';
import type { Plan } from '../../core/plan/plan';
import { Weights, formatWeights } from '../../core/traffic/weights';
import { Observer } from '../run/observer';
import { curlLine } from '../run/clients';
import { trafficOptions } from '../run/cut-over';
import { listListeners } from '../run/rehearse';
import type { ProgressReporter } from '../progress/progress-reporter';
import { shellWord } from '../../core/text/shell-word';
import type { RunningRehearsal } from '../cloud/running-rehearsal';
import { timesScenario } from '../traffic/options';
import { describeEntry } from '../report/scenario-seen';
import { startTraffic } from '../traffic/traffic';
import type { LocalCloud } from '../cloud/local-cloud';
import { OPERATOR_KEY_ID } from '../cloud/operator-key';

/** A little traffic without cookies, so that the shares follow the weights as they are changed by hand. */
const RATES = {
  shop: 0,
  keepAlive: 20,
  newConnection: 5,
  http2: 10,
  echo: 0,
  webSockets: 0,
  messagesPerSecondEach: 1,
  eventStreams: 0,
  chats: 0,
};

/** Of a scenario. */
const REQUESTS_PER_SECOND = 35;

/** A log follows the shares for this long after a change. */
const NEWS_MS = 6_000;

/**
 * Leaves the local cloud up until the signal, with a little traffic to watch.
 *
 * @throws Error when the local cloud breaks
 */
export async function keepUp(
  running: RunningRehearsal,
  reporter: ProgressReporter,
  stopped: AbortSignal,
): Promise<void> {
  const { scenario, approvals } = running;
  // What is started now was started by a person, who is there to be asked.
  approvals.areAsked = true;
  const traffic = await startTraffic({
    ...trafficOptions(running),
    rates: RATES,
    cookies: false,
    ...(scenario && {
      scenario: timesScenario(scenario, Math.min(1, REQUESTS_PER_SECOND / scenario.requestsPerSecond)),
    }),
  });
  let weights = '';
  let changedMs = 0;
  const observer = new Observer(
    running,
    traffic,
    () => undefined,
    (sample) => {
      const now = formatWeights(sample.weights);
      if (weights !== '' && weights !== now) reporter.step(`weights ${weights} → ${now}`);
      if (weights !== now) changedMs = sample.atMs;
      weights = now;
      // A log needs no line while nothing happens.
      if (reporter.isLive || sample.atMs - changedMs < NEWS_MS) reporter.progress({ ...sample, state: 'kept up' });
    },
  );
  const signal = AbortSignal.any([stopped, running.broken]);
  try {
    if (!signal.aborted) await once(signal, 'abort');
    running.broken.throwIfAborted();
  } finally {
    const [, ended] = await Promise.allSettled([observer.stop(), traffic.stop()]);
    const entries = ended.status === 'fulfilled' ? ended.value.entries : undefined;
    for (const entry of entries ?? []) reporter.step(`while it was kept up: ${describeEntry(entry)}`);
  }
}

/** Where everything is, with lines to copy: each works as it stands. */
export function addresses({ cloud, backends, plan, isHttp2Only }: RunningRehearsal): string {
  const { config, elb } = cloud.model;
  const { port } = elb.listener(config.weightedListenerArn);
  const path = backends.own ? '/' : (plan.smoke[0]?.path ?? '/');
  const hasWebSockets = backends.own && !isHttp2Only;
  const webSocket = `NODE_EXTRA_CA_CERTS=${shellWord(cloud.caFile)} node -e ${shellWord(webSocketScript(port))}`;
  return `
The local cloud stays up until Ctrl-C. Listeners: ${listListeners(cloud.model)}; AWS endpoint: ${cloud.endpoint.url}; logs: ${cloud.logFile}

# a request${hasWebSockets ? ', and a WebSocket' : ''}
${curlLine(cloud, path)}
${hasWebSockets ? `${webSocket}\n` : ''}
# what an operator types: the same as at AWS, with the endpoint of this rehearsal
export AWS_ACCESS_KEY_ID=${OPERATOR_KEY_ID} AWS_SECRET_ACCESS_KEY=rehearsal
${operatorLines(cloud, plan)}

# the AWS CLI, unmodified
${awsLines(cloud)}
`;
}

/** From a look at what is there to another cutover by the same plan, and the ways back. */
function operatorLines({ model: { stack }, endpoint }: LocalCloud, { initialWeights }: Plan): string {
  const at = `--stack ${shellWord(stack.name)} --region ${shellWord(stack.region)} --endpoint-url ${endpoint.url}`;
  const lines: readonly (readonly [command: string, what: string])[] = [
    [`status ${at}`, 'the weights, the lock, and the cutover that is under way'],
    [`weights set ${setFlags(initialWeights)} ${at} --yes`, 'back to the start of the plan'],
    [`doctor ${at}`, 'would a cutover be rejected now?'],
    [`start ${at} --yes`, 'another one by the same plan'],
    [`watch ${at}`, 'follow it to its end; Ctrl-C leaves it as it is'],
    [`abort ${at} --yes`, 'one that is under way rolls back'],
    [`rollback ${at} --yes`, 'moves the traffic of a completed one back'],
    [`history ${at}`, 'what has happened'],
    [`report ${at} --output report.html`, 'of the last one that has ended'],
  ];
  return lines.map(([command, what]) => `npx drainshift ${command}  # ${what}`).join('\n');
}

function awsLines(cloud: LocalCloud): string {
  const { config, stack } = cloud.model;
  const aws = `aws --endpoint-url ${cloud.endpoint.url} --region ${shellWord(stack.region)}`;
  const change = shellWord(JSON.stringify(actions(cloud, { source: 50, target: 50 })));
  return [
    `${aws} elbv2 describe-rules --listener-arn ${shellWord(config.weightedListenerArn)}`,
    `${aws} elbv2 modify-rule --rule-arn ${shellWord(config.weightedRuleArn)} --actions ${change}`,
    `${aws} s3api list-objects-v2 --bucket ${shellWord(config.storeBucket)}`,
  ].join('\n');
}

/** Takes the other group out of the rule where its weight is 0, so that clients with its cookie leave it, too. */
function setFlags({ source, target }: Weights): string {
  return `--source ${source} --target ${target}`;
}

function actions(cloud: LocalCloud, { source, target }: Weights): object[] {
  const { targetGroupArns } = cloud.model.config;
  const { stickiness } = ruleForward(cloud);
  return [
    {
      Type: 'forward',
      ForwardConfig: {
        TargetGroups: [
          { TargetGroupArn: targetGroupArns.source, Weight: source },
          { TargetGroupArn: targetGroupArns.target, Weight: target },
        ],
        TargetGroupStickinessConfig: { Enabled: stickiness.enabled, DurationSeconds: stickiness.durationSeconds },
      },
    },
  ];
}

/** Numbers its messages, one a second, and prints the responses. */
function webSocketScript(port: number): string {
  return [
    `w=new WebSocket("wss://localhost:${port}/ws/counter?client=me")`,
    'n=0',
    'w.onopen=w.onmessage=e=>{console.log(e.data??"open");setTimeout(()=>w.send(JSON.stringify({n:++n})),1000)}',
    'w.onclose=e=>console.log("closed",e.code)',
  ].join(';');
}

function ruleForward(cloud: LocalCloud) {
  const [action] = cloud.model.elb.rule(cloud.model.config.weightedRuleArn).actions;
  if (action?.type !== 'forward') throw new Error("the weighted rule's action must be a forward");
  return action.forward;
}
