import { once } from 'node:events';
import { Weights, formatWeights } from '../../core/traffic/weights';
import { Observer } from '../run/observer';
import { curlLine } from '../run/clients';
import { trafficOptions } from '../run/cut-over';
import { listListeners } from '../run/rehearse';
import type { ProgressReporter } from '../progress/progress-reporter';
import { shellWord } from '../report/shell-word';
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
  const { scenario } = running;
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

/** Where everything is, with lines to copy: each works as it stands, in this order. */
export function addresses({ cloud, backends, plan, isHttp2Only }: RunningRehearsal): string {
  const { config, stack, machine, elb } = cloud.model;
  const { port } = elb.listener(config.weightedListenerArn);
  const aws = `aws --endpoint-url ${cloud.endpoint.url} --region ${shellWord(stack.region)}`;
  const modify = (weights: Weights) =>
    `${aws} elbv2 modify-rule --rule-arn ${shellWord(config.weightedRuleArn)} --actions ${shellWord(JSON.stringify(actions(cloud, weights)))}`;
  const weights = `AWS_ENDPOINT_URL=${cloud.endpoint.url} npx drainshift weights`;
  const where = `--stack ${shellWord(stack.name)} --region ${shellWord(stack.region)}`;
  const path = backends.own ? '/' : (plan.smoke[0]?.path ?? '/');
  const hasWebSockets = backends.own && !isHttp2Only;
  const webSocket = `NODE_EXTRA_CA_CERTS=${shellWord(cloud.caFile)} node -e ${shellWord(webSocketScript(port))}`;
  return `
The local cloud stays up until Ctrl-C. Listeners: ${listListeners(cloud.model)}; AWS endpoint: ${cloud.endpoint.url}; logs: ${cloud.logFile}

# a request${hasWebSockets ? ', and a WebSocket' : ''}
${curlLine(cloud, path)}
${hasWebSockets ? `${webSocket}\n` : ''}
# the AWS CLI, unmodified
export AWS_ACCESS_KEY_ID=${OPERATOR_KEY_ID} AWS_SECRET_ACCESS_KEY=rehearsal
${aws} elbv2 describe-rules --listener-arn ${shellWord(config.weightedListenerArn)}
${aws} elbv2 describe-target-health --target-group-arn ${shellWord(config.targetGroupArns.target)}
${aws} ecs list-tasks --cluster ${shellWord(config.clusterArn)} --service-name ${shellWord(config.serviceNames.source)}
${modify({ source: 50, target: 50 })}

# the weights as an operator sees and sets them
${weights} get ${where}

# another cutover by the same plan, from its initial weights, and how to stop it: it rolls back by itself
${weights} set ${setFlags(plan.initialWeights)} ${where} --yes
${aws} stepfunctions start-execution --state-machine-arn ${shellWord(machine.arn)} --name again --input '{}'
${aws} s3api put-object --bucket ${shellWord(config.storeBucket)} --key abort/again.json
`;
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
