import { own } from '../../../core/validation/own';
import type { Response, Decision, Forward, RequestHead } from '../../../proxy/data-plane/contract/data-plane';
import { isGrpcContent } from '../../../proxy/data-plane/streams/grpc';
import { isLoopback } from '../../processes/loopback';
import { fixedResponse, ownResponse } from './fixed-responses';
import { findAction, chooseGroup, chooseTarget, formatHostName, matchRule } from './choose';
import { GROUP_COOKIES, TARGET_COOKIES, stickyCookies } from './cookies';
import { Asked, BalancerEvents, findAsked } from '../counting/events';
import { MAX_FORWARDED_FOR, forwardedFor, requestHeaders } from './forwarded';
import { Action, ElbModel, ForwardConfig, Listener, LoadBalancer, Target, TargetGroup } from '../model/model';
import { Rewritten, rewrite } from '../model/transforms';

/** Of one field, its name and its value; a line more than once counts as one here. */
const MAX_FIELD_BYTES = 16 * 1024;

interface ListenerSetup {
  readonly model: ElbModel;
  readonly random: () => number;
  /** Where connections to targets on loopback come from. */
  readonly localAddress: string | undefined;
  readonly events: BalancerEvents;
  /** Fires when what is under way with a target must end. */
  readonly findCut: (target: Target) => AbortSignal;
}

/** The route of one listener: rules, weights and stickiness, as an Application Load Balancer applies them to each request. */
export function listenerRoute(cloud: ListenerSetup, listener: Listener): (request: RequestHead) => Decision {
  const stallDetector = new Map<string, number>();
  return (request) => {
    const asked = findAsked(request);
    cloud.events.started(asked);
    const refused = rejectedStatus(request);
    if (refused !== undefined) return reject(cloud, asked, refused);
    const address = { url: request.url, host: request.field('host') ?? '' };
    const rule = matchRule(cloud.model.listRules(listener.arn), address);
    if (!rule) return reject(cloud, asked, 503);
    const action = findAction(rule, cloud.random);
    if (action.type !== 'forward') {
      cloud.events.ended(asked, { by: 'rule', outcome: { status: action.statusCode, kind: 'http' } });
      return { response: action.type === 'redirect' ? redirect(action, request, listener) : fixedResponse(action) };
    }
    const rewritten = rewrite(rule.transforms ?? [], address);
    // The service's own response to a rewrite that fails.
    if (!rewritten) return reject(cloud, asked, 500);
    return forward(cloud, listener, { config: action.forward, request, asked, rewritten, stallDetector });
  };
}

/**
 * What an Application Load Balancer responds with itself, whatever its rules say.
 *
 * @see https://docs.aws.amazon.com/elasticloadbalancing/latest/application/load-balancer-troubleshooting.html
 */
function rejectedStatus(request: RequestHead): number | undefined {
  if (request.method === 'TRACE') return 405;
  const isLong = (name: string) => name.length + (request.field(name)?.length ?? 0) > MAX_FIELD_BYTES;
  if (Object.keys(request.headers).some(isLong)) return 400;
  return forwardedFor(request).length > MAX_FORWARDED_FOR ? 463 : undefined;
}

function reject(cloud: ListenerSetup, asked: Asked, status: number): Decision {
  cloud.events.ended(asked, { by: 'loadBalancer', outcome: { status, kind: 'http' } });
  return { response: ownResponse(status) };
}

interface Forwarding {
  readonly config: ForwardConfig;
  readonly request: RequestHead;
  readonly asked: Asked;
  readonly rewritten: Rewritten;
}

function forward(
  cloud: ListenerSetup,
  listener: Listener,
  { config, request, asked, rewritten, stallDetector }: Forwarding & { readonly stallDetector: Map<string, number> },
): Decision {
  const groupArn = chooseGroup(config, request.headers.cookie, cloud.random);
  const group = groupArn === undefined ? undefined : cloud.model.targetGroups.get(groupArn);
  if (!group) return reject(cloud, asked, 503);
  if (!takes(group, request)) return reject(cloud, asked, 464);
  const turn = stallDetector.get(group.arn) ?? 0;
  stallDetector.set(group.arn, turn + 1);
  const target = chooseTarget(group, request.headers.cookie, turn);
  // No registered target: the service responds with 503 and does not try another group.
  if (!target) return reject(cloud, asked, 503);
  return { forward: toTarget(cloud, listener, { config, request, asked, rewritten, group, target }) };
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
  cloud: ListenerSetup,
  listener: Listener,
  {
    config,
    request,
    asked,
    rewritten,
    group,
    target,
  }: Forwarding & { readonly group: TargetGroup; readonly target: Target },
): Forward {
  const balancer: LoadBalancer = cloud.model.loadBalancer(listener.loadBalancerArn);
  const cut = cloud.findCut(target);
  target.outstanding += 1;
  group.requests = (group.requests ?? 0) + 1;
  return {
    upstream: {
      protocol: group.protocol === 'HTTPS' ? 'https' : 'http',
      host: target.id,
      port: target.port,
      verifyCertificate: false,
      ...(cloud.localAddress !== undefined && isLoopback(target.id) && { localAddress: cloud.localAddress }),
      isHttp2: group.protocolVersion === 'HTTP2',
    },
    url: rewritten.url,
    // Clients reach the template's port as far as they know; a mapped port is an affair of this machine.
    requestHeaders: {
      ...requestHeaders(request, listener.templatePort, balancer.attributes),
      ...(rewritten.host !== (request.field('host') ?? '') && { host: rewritten.host }),
    },
    responseHeaders: () => ({ ...stickiness(config, group, target), ...cloud.events.listHints?.(asked, group.arn) }),
    signal: cut,
    opened: (_status, kind) => cloud.events.opened(asked, kind),
    settled: (outcome) => {
      target.outstanding -= 1;
      cloud.events.ended(asked, { by: 'target', groupArn: group.arn, isCut: cut.aborted, outcome });
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
function redirect(action: Extract<Action, { type: 'redirect' }>, request: RequestHead, listener: Listener): Response {
  const [, path = '/', query = ''] = /^([^?]*)\??(.*)$/s.exec(request.url) ?? [];
  const parts: Record<string, string> = {
    protocol: listener.protocol,
    host: formatHostName(request.field('host') ?? ''),
    port: String(listener.port),
    path: path.slice(1),
    query,
  };
  const fill = (text: string) => text.replace(/#\{(\w+)\}/g, (_, name: string) => own(parts, name) ?? '');
  const {
    Protocol = '#{protocol}',
    Host = '#{host}',
    Port = '#{port}',
    Path = '/#{path}',
    Query = '#{query}',
  } = action.redirect;
  const filledQuery = fill(Query);
  const location = `${fill(Protocol).toLowerCase()}://${fill(Host)}:${fill(Port)}${fill(Path)}${filledQuery === '' ? '' : `?${filledQuery}`}`;
  const response = ownResponse(action.statusCode);
  return { ...response, headers: { ...response.headers, location } };
}
