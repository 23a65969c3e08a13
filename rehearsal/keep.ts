import { setTimeout as pause } from 'node:timers/promises';
import { formatWeights } from '../core/weights';
import { Observer } from './observer';
import { Screen, Standing, listenersOf, trafficOptions } from './rehearse';
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
};

/** A log follows the shares for this long after a change. */
const NEWS_MS = 6_000;

/** Leaves the world up until the signal, with a little traffic to watch. */
export async function keepUp(standing: Standing, screen: Screen, signal: AbortSignal): Promise<void> {
  const traffic = await startTraffic({ ...trafficOptions(standing), rates: RATES });
  let weights = '';
  let changedMs = 0;
  const observer = new Observer(
    standing.world,
    traffic,
    standing.plan,
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
  try {
    await pause(2 ** 31 - 1, undefined, { signal });
  } catch {
    // The signal: what a person who has seen enough gives.
  } finally {
    await observer.stop();
    await traffic.stop();
  }
}

/** Where everything is, with lines to copy. */
export function addresses(world: World): string {
  const { wiring, stack, machine, elb } = world.options.blueprint;
  const { port } = elb.listener(wiring.weightedListenerArn);
  const aws = `aws --endpoint-url ${world.endpoint.url} --region ${stack.region}`;
  const { stickiness } = ruleForward(world);
  const actions = JSON.stringify([
    {
      Type: 'forward',
      ForwardConfig: {
        TargetGroups: [
          { TargetGroupArn: wiring.targetGroupArns.source, Weight: 50 },
          { TargetGroupArn: wiring.targetGroupArns.target, Weight: 50 },
        ],
        TargetGroupStickinessConfig: { Enabled: stickiness.enabled, DurationSeconds: stickiness.durationSeconds },
      },
    },
  ]);
  return `
The world stays up until Ctrl-C. Listeners: ${listenersOf(world.options.blueprint)}; AWS endpoint: ${world.endpoint.url}; logs: ${world.logFile}

# a request, and a WebSocket
curl --cacert ${world.caFile} --resolve ${wiring.domainName}:${port}:127.0.0.1 https://${wiring.domainName}:${port}/
NODE_EXTRA_CA_CERTS=${world.caFile} node -e 'w=new WebSocket("wss://localhost:${port}/ws/counter?client=me");n=0;w.onopen=w.onmessage=e=>{console.log(e.data??"open");setTimeout(()=>w.send(JSON.stringify({n:++n})),1000)};w.onclose=e=>console.log("closed",e.code)'

# the AWS CLI, unmodified
export AWS_ACCESS_KEY_ID=${OPERATOR_KEY_ID} AWS_SECRET_ACCESS_KEY=rehearsal
${aws} elbv2 describe-rules --listener-arn ${wiring.weightedListenerArn}
${aws} elbv2 describe-target-health --target-group-arn ${wiring.targetGroupArns.target}
${aws} ecs list-tasks --cluster ${wiring.clusterArn} --service-name ${wiring.serviceNames.source}
${aws} elbv2 modify-rule --rule-arn ${wiring.weightedRuleArn} --actions '${actions}'

# another cutover (the weights must be at the plan's initial ones), and how to stop it: it goes back by itself
${aws} stepfunctions start-execution --state-machine-arn ${machine.arn} --name again --input '{}'
${aws} s3api put-object --bucket ${wiring.storeBucket} --key abort/again.json
`;
}

function ruleForward(world: World) {
  const [action] = world.options.blueprint.elb.rule(world.options.blueprint.wiring.weightedRuleArn).actions;
  if (action?.type !== 'forward') throw new Error("the weighted rule's action must be a forward");
  return action.forward;
}
