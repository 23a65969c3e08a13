import type { Decision, Forward, Outcome, RequestHead } from '../../proxy/data-plane/data-plane';
import { isGrpcContent } from '../../proxy/data-plane/http2/grpc';
import { ownAnswer } from './answers';
import { actionOf, chooseGroup, chooseTarget, matchRule } from './choose';
import { GROUP_COOKIES, TARGET_COOKIES, stickyCookies } from './cookies';
import { MAX_FORWARDED_FOR, forwardedFor, requestHeaders } from './forwarded';
import { Action, ElbModel, ForwardConfig, Listener, LoadBalancer, Target, TargetGroup } from './model';

/** What was answered, for the counts that a report draws: by target group, and by the load balancer itself (`undefined`). */
export type Exchanged = (groupArn: string | undefined, outcome: Pick<Outcome, 'status' | 'kind'>) => void;

interface ListenerWorld {
  readonly model: ElbModel;
  readonly random: () => number;
  readonly exchanged: Exchanged;
  /** Fires when what is under way with a target must end. */
  readonly cutOf: (target: Target) => AbortSignal;
}

/** The route of one listener: rules, weights and stickiness, as an Application Load Balancer applies them to each request. */
export function listenerRoute(world: ListenerWorld, listener: Listener): (request: RequestHead) => Decision {
  const turns = new Map<string, number>();
  return (request) => {
    if (forwardedFor(request).length > MAX_FORWARDED_FOR) return refuse(world, 463);
    const asked = { url: request.url, host: request.field('host') ?? '' };
    const rule = matchRule(world.model.rulesOf(listener.arn), asked);
    const action: Action | undefined = rule && actionOf(rule);
    if (!action) return refuse(world, 503);
    if (action.type === 'fixed-response') {
      world.exchanged(undefined, { status: action.statusCode, kind: 'http' });
      return {
        answer: { status: action.statusCode, headers: { 'content-type': action.contentType }, body: action.body },
      };
    }
    if (action.type === 'redirect') return { answer: redirect(action, request, listener) };
    return forward(world, listener, { config: action.forward, request, turns });
  };
}

function refuse(world: ListenerWorld, status: number): Decision {
  world.exchanged(undefined, { status, kind: 'http' });
  return { answer: ownAnswer(status) };
}

function forward(
  world: ListenerWorld,
  listener: Listener,
  { config, request, turns }: { config: ForwardConfig; request: RequestHead; turns: Map<string, number> },
): Decision {
  const groupArn = chooseGroup(config, request.headers.cookie, world.random);
  const group = groupArn === undefined ? undefined : world.model.targetGroups.get(groupArn);
  if (!group) return refuse(world, 503);
  if (!takes(group, request)) return refuse(world, 464);
  const turn = turns.get(group.arn) ?? 0;
  turns.set(group.arn, turn + 1);
  const target = chooseTarget(group, request.headers.cookie, turn);
  // No registered target: the service answers 503 and does not try another group.
  if (!target) return refuse(world, 503);
  return { forward: toTarget(world, listener, { config, request, group, target }) };
}

/**
 * HTTP/1.1 is not made HTTP/2 of, and gRPC no HTTP/1.1.
 *
 * @see https://docs.aws.amazon.com/elasticloadbalancing/latest/application/load-balancer-target-groups.html#target-group-protocol-version
 */
function takes({ protocolVersion }: TargetGroup, request: RequestHead): boolean {
  const isHttp2 = request.httpVersion === '2';
  return protocolVersion === 'HTTP2' ? isHttp2 : !isHttp2 || !isGrpcContent(request.field('content-type'));
}

function toTarget(
  world: ListenerWorld,
  listener: Listener,
  {
    config,
    request,
    group,
    target,
  }: { config: ForwardConfig; request: RequestHead; group: TargetGroup; target: Target },
): Forward {
  const balancer: LoadBalancer = world.model.loadBalancer(listener.loadBalancerArn);
  target.outstanding += 1;
  return {
    upstream: {
      protocol: group.protocol === 'HTTPS' ? 'https' : 'http',
      host: target.id,
      port: target.port,
      verifyCertificate: false,
      isHttp2: group.protocolVersion === 'HTTP2',
    },
    // Clients reach the template's port as far as they know; a mapped port is an affair of this machine.
    requestHeaders: requestHeaders(request, listener.templatePort, balancer.attributes),
    responseHeaders: () => stickiness(config, group, target),
    signal: world.cutOf(target),
    settled: (outcome) => {
      target.outstanding -= 1;
      world.exchanged(group.arn, outcome);
    },
  };
}

function stickiness(config: ForwardConfig, group: TargetGroup, target: Target): Record<string, string[]> {
  const nowMs = Date.now();
  const cookies: string[] = [];
  if (group.attributes.get('stickiness.enabled') === 'true') {
    const seconds = Number(group.attributes.get('stickiness.lb_cookie.duration_seconds') ?? 86_400);
    cookies.push(...stickyCookies(TARGET_COOKIES, { to: `${target.id}:${target.port}` }, seconds, nowMs));
  }
  if (config.stickiness.enabled) {
    cookies.push(...stickyCookies(GROUP_COOKIES, { to: group.arn }, config.stickiness.durationSeconds, nowMs));
  }
  return cookies.length > 0 ? { 'set-cookie': cookies } : {};
}

/** `#{protocol}`, `#{host}`, `#{port}`, `#{path}` and `#{query}` stand for the request's own. */
function redirect(action: Extract<Action, { type: 'redirect' }>, request: RequestHead, listener: Listener) {
  const [path = '/', query = ''] = request.url.split('?');
  const host = String(request.headers.host ?? '').split(':')[0] ?? '';
  const own: Record<string, string> = {
    protocol: listener.protocol,
    host,
    port: String(listener.port),
    path: path.slice(1),
    query,
  };
  const fill = (text: string) => text.replace(/#\{(\w+)\}/g, (_, name: string) => own[name] ?? '');
  const {
    Protocol = '#{protocol}',
    Host = '#{host}',
    Port = '#{port}',
    Path = '/#{path}',
    Query = '#{query}',
  } = action.redirect;
  const filledQuery = fill(Query);
  const location = `${fill(Protocol).toLowerCase()}://${fill(Host)}:${fill(Port)}${fill(Path)}${filledQuery === '' ? '' : `?${filledQuery}`}`;
  return { status: action.statusCode, headers: { location } };
}
