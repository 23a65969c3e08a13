import { once } from 'node:events';
import { Weights, formatWeights } from '../core/weights';
import { Observer } from './observer';
import { trafficOptions } from './cut-over';
import { listenersOf } from './rehearse';
import type { Screen } from './report/screen';
import type { Standing } from './standing';
import { startTraffic } from './traffic/traffic';
import { OPERATOR_KEY_ID, World } from './world';

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
  const aws = `aws --endpoint-url ${world.endpoint.url} --region ${stack.region}`;
  const modify = (weights: Weights) =>
    `${aws} elbv2 modify-rule --rule-arn ${wiring.weightedRuleArn} --actions ${word(JSON.stringify(actions(world, weights)))}`;
  const path = backends.own ? '/' : (plan.smoke[0]?.path ?? '/');
  const hasWebSockets = backends.own && !isHttp2Only;
  const webSocket = `NODE_EXTRA_CA_CERTS=${world.caFile} node -e ${word(webSocketScript(port))}`;
  return `
The world stays up until Ctrl-C. Listeners: ${listenersOf(world.blueprint)}; AWS endpoint: ${world.endpoint.url}; logs: ${world.logFile}

# a request${hasWebSockets ? ', and a WebSocket' : ''}
curl --cacert ${world.caFile} --resolve ${wiring.domainName}:${port}:127.0.0.1 ${word(`https://${wiring.domainName}:${port}${path}`)}
${hasWebSockets ? `${webSocket}\n` : ''}
# the AWS CLI, unmodified
export AWS_ACCESS_KEY_ID=${OPERATOR_KEY_ID} AWS_SECRET_ACCESS_KEY=rehearsal
${aws} elbv2 describe-rules --listener-arn ${wiring.weightedListenerArn}
${aws} elbv2 describe-target-health --target-group-arn ${wiring.targetGroupArns.target}
${aws} ecs list-tasks --cluster ${wiring.clusterArn} --service-name ${wiring.serviceNames.source}
${modify({ source: 50, target: 50 })}

# the weights as an operator sees and sets them
AWS_ENDPOINT_URL=${world.endpoint.url} npx drainshift weights get --stack ${stack.name} --region ${stack.region}

# another cutover by the same plan, from its initial weights, and how to stop it: it goes back by itself
${modify(plan.initialWeights)}
${aws} stepfunctions start-execution --state-machine-arn ${machine.arn} --name again --input ${word(JSON.stringify({ plan }))}
${aws} s3api put-object --bucket ${wiring.storeBucket} --key abort/again.json
`;
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

/** One word of a shell's command line. */
function word(text: string): string {
  return `'${text.replaceAll("'", String.raw`'\''`)}'`;
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
