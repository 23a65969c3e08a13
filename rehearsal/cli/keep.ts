import { once } from 'node:events';
import { Weights, formatWeights } from '../../core/traffic/weights';
import { Observer } from '../run/observer';
import { curlLine } from '../run/clients';
import { trafficOptions } from '../run/cut-over';
import { listenersOf } from '../run/rehearse';
import type { Screen } from '../progress/progress-reporter';
import { shellWord } from '../report/shell-word';
import type { Standing } from '../cloud/running-rehearsal';
import { startTraffic } from '../traffic/traffic';
import { OPERATOR_KEY_ID, World } from '../cloud/local-cloud';

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

/** A log follows the shares for this long after a change. */
const NEWS_MS = 6_000;

/**
 * Leaves the world up until the signal, with a little traffic to watch.
 *
 * @throws Error when the world breaks
 */
export async function keepUp(standing: Standing, screen: Screen, stopped: AbortSignal): Promise<void> {
  const traffic = await startTraffic({ ...trafficOptions(standing), rates: RATES, cookies: false });
  let weights = '';
  let changedMs = 0;
  const observer = new Observer(
    standing,
    traffic,
    () => undefined,
    (sample) => {
      const now = formatWeights(sample.weights);
      if (weights !== '' && weights !== now) screen.step(`weights ${weights} → ${now}`);
      if (weights !== now) changedMs = sample.atMs;
      weights = now;
      // A log needs no line while nothing happens.
      if (screen.isLive || sample.atMs - changedMs < NEWS_MS) screen.progress({ ...sample, state: 'kept up' });
    },
  );
  const signal = AbortSignal.any([stopped, standing.broken]);
  try {
    if (!signal.aborted) await once(signal, 'abort');
    standing.broken.throwIfAborted();
  } finally {
    await Promise.allSettled([observer.stop(), traffic.stop()]);
  }
}

/** Where everything is, with lines to copy: each works as it stands, in this order. */
export function addresses({ world, backends, plan, isHttp2Only }: Standing): string {
  const { wiring, stack, machine, elb } = world.blueprint;
  const { port } = elb.listener(wiring.weightedListenerArn);
  const aws = `aws --endpoint-url ${world.endpoint.url} --region ${shellWord(stack.region)}`;
  const modify = (weights: Weights) =>
    `${aws} elbv2 modify-rule --rule-arn ${shellWord(wiring.weightedRuleArn)} --actions ${shellWord(JSON.stringify(actions(world, weights)))}`;
  const weights = `AWS_ENDPOINT_URL=${world.endpoint.url} npx drainshift weights`;
  const where = `--stack ${shellWord(stack.name)} --region ${shellWord(stack.region)}`;
  const path = backends.own ? '/' : (plan.smoke[0]?.path ?? '/');
  const hasWebSockets = backends.own && !isHttp2Only;
  const webSocket = `NODE_EXTRA_CA_CERTS=${shellWord(world.caFile)} node -e ${shellWord(webSocketScript(port))}`;
  return `
The world stays up until Ctrl-C. Listeners: ${listenersOf(world.blueprint)}; AWS endpoint: ${world.endpoint.url}; logs: ${world.logFile}

# a request${hasWebSockets ? ', and a WebSocket' : ''}
${curlLine(world, path)}
${hasWebSockets ? `${webSocket}\n` : ''}
# the AWS CLI, unmodified
export AWS_ACCESS_KEY_ID=${OPERATOR_KEY_ID} AWS_SECRET_ACCESS_KEY=rehearsal
${aws} elbv2 describe-rules --listener-arn ${shellWord(wiring.weightedListenerArn)}
${aws} elbv2 describe-target-health --target-group-arn ${shellWord(wiring.targetGroupArns.target)}
${aws} ecs list-tasks --cluster ${shellWord(wiring.clusterArn)} --service-name ${shellWord(wiring.serviceNames.source)}
${modify({ source: 50, target: 50 })}

# the weights as an operator sees and sets them
${weights} get ${where}

# another cutover by the same plan, from its initial weights, and how to stop it: it rolls back by itself
${weights} set ${setFlags(plan.initialWeights)} ${where} --yes
${aws} stepfunctions start-execution --state-machine-arn ${shellWord(machine.arn)} --name again --input '{}'
${aws} s3api put-object --bucket ${shellWord(wiring.storeBucket)} --key abort/again.json
`;
}

/** Takes the other group out of the rule where its weight is 0, so that clients with its cookie leave it, too. */
function setFlags({ source, target }: Weights): string {
  return `--source ${source} --target ${target}`;
}

function actions(world: World, { source, target }: Weights): object[] {
  const { targetGroupArns } = world.blueprint.wiring;
  const { stickiness } = ruleForward(world);
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

/** Numbers its messages, one a second, and prints the answers. */
function webSocketScript(port: number): string {
  return [
    `w=new WebSocket("wss://localhost:${port}/ws/counter?client=me")`,
    'n=0',
    'w.onopen=w.onmessage=e=>{console.log(e.data??"open");setTimeout(()=>w.send(JSON.stringify({n:++n})),1000)}',
    'w.onclose=e=>console.log("closed",e.code)',
  ].join(';');
}

function ruleForward(world: World) {
  const [action] = world.blueprint.elb.rule(world.blueprint.wiring.weightedRuleArn).actions;
  if (action?.type !== 'forward') throw new Error("the weighted rule's action must be a forward");
  return action.forward;
}
