import { randomUUID } from 'node:crypto';
import { IncomingMessage, Server, ServerResponse, createServer } from 'node:http';
import type { AddressInfo } from 'node:net';
import { setTimeout } from 'node:timers/promises';
import type { ElbModel } from '../../load-balancer/model/model';
import type { StatesModel } from '../../state-machine/model';
import type { EcsModel } from '../../tasks/model';
import { AwsError } from '../../errors/aws-error';
import { AlarmStates } from '../services/alarms/alarm-states';
import { alarmsServices } from '../services/alarms/alarms-service';
import { HostCommands, commandsService } from '../services/commands/commands-service';
import { scalingService } from '../services/scaling/scaling-service';
import { ecsService } from '../services/ecs/ecs-service';
import { Targets } from '../services/elb/elb-options';
import { elbService } from '../services/elb/elb-service';
import { EndpointFaults, SetFault, buildError } from './faults';
import { InvokeFunction, InvokeProtocol } from '../services/functions/invoke-protocol';
import { eventsService, topicsService } from '../services/messages/messages-services';
import { Outbox } from '../services/messages/outbox';
import { Need } from '../operations/operation';
import { CborProtocol } from '../protocols/cbor';
import { checkPresigned } from './presigned';
import { JsonProtocol } from '../protocols/json';
import { Call, Protocol, HttpReply, AwsRequest } from '../protocols/protocol';
import { QueryProtocol } from '../protocols/query';
import { RestProtocol } from '../protocols/rest';
import { ObjectStore } from '../services/s3/object-store';
import { S3Protocol } from '../services/s3/s3-protocol';
import { SecretStore } from '../services/secrets/secret-store';
import { secretsService } from '../services/secrets/secrets-service';
import { StackDescription, stacksService } from '../services/stacks/stacks-service';
import { statesService } from '../services/states/states-service';
import { stsService } from '../services/sts/sts-service';

export interface EndpointOptions {
  readonly elb: ElbModel;
  readonly ecs: EcsModel;
  readonly states: StatesModel;
  readonly secrets: SecretStore;
  readonly objects: ObjectStore;
  readonly targets: Targets;
  /** @default - none */
  readonly stacks?: () => readonly StackDescription[];
  /** @default - none */
  readonly alarms?: AlarmStates;
  /** Keeps what is published and put on buses. */
  readonly outbox?: Outbox;
  /** Throws an AwsError for what the principal may not do; without it everybody may do everything. */
  readonly authorize?: (request: AuthorizationRequest) => void;
  /** @default 127.0.0.1 */
  readonly host?: string;
  /** @default 0, any free port */
  readonly port?: number;
  readonly region: string;
  readonly account: string;
  readonly onCall?: (call: ApiCall) => void;
  /** What hosts are called by. @default - there are none */
  readonly hosts?: HostCommands | undefined;
  /** What Lambda calls. @default - no functions */
  readonly invoke?: InvokeFunction;
  /** Whether there is a function of this ARN, for a dry run. @default - of each */
  readonly hasFunction?: (arn: string) => boolean;
  /** What goes wrong on purpose. @default - nothing, until it is set on the endpoint */
  readonly faults?: EndpointFaults;
}

export interface AuthorizationRequest extends Need {
  readonly accessKeyId: string;
}

/** One call, as logs and reports tell it. */
export interface ApiCall {
  /** As policies name it: `elasticloadbalancing`, `ecs`, `states`, `s3`, `cloudwatch`, … */
  readonly service: string;
  readonly action: string;
  /** The access key id; empty for an unsigned call. */
  readonly principal: string;
  readonly status: number;
  readonly ms: number;
  readonly error?: { readonly code: string; readonly message: string };
}

export interface Endpoint {
  readonly url: string;
  readonly faults: EndpointFaults;
  stop(): Promise<void>;
}

const MAX_BODY_BYTES = 16 * 1024 * 1024;
/** SDKs keep connections; one that is closed under a request costs them a retry. */
const KEEP_ALIVE_MS = 60_000;

/**
 * One HTTP server that speaks to unmodified AWS clients, for all the services that a cutover calls.
 *
 * Signatures are not verified: there are no secrets to keep on a loopback address, and clients sign with made-up keys. The
 * access key id in the signature names the principal, whose rights are checked.
 *
 * @throws Error when the port is taken.
 */
export async function startEndpoint(options: EndpointOptions): Promise<Endpoint> {
  const { faults = new EndpointFaults() } = options;
  const protocols = createProtocols(options);
  const server = createServer((request, response) => {
    serve(request, response, { options, faults, protocols }).catch(() => response.destroy());
  });
  server.keepAliveTimeout = KEEP_ALIVE_MS;
  const { host = '127.0.0.1', port = 0 } = options;
  await listen(server, host, port);
  return {
    url: `http://${host}:${(server.address() as AddressInfo).port}`,
    faults,
    stop: () => close(server),
  };
}

interface LocalCloud {
  readonly options: EndpointOptions;
  readonly faults: EndpointFaults;
  readonly protocols: Protocols;
}

type Protocols = Readonly<Record<'query' | 'json' | 'cbor' | 's3' | 'rest' | 'lambda', Protocol>>;

const noFunctions: InvokeFunction = (arn) => Promise.reject(new Error(`no function ${arn}`));

function createProtocols(options: EndpointOptions): Protocols {
  const place = { region: options.region, account: options.account };
  const { outbox = new Outbox(), invoke = noFunctions, hasFunction = () => true } = options;
  const alarms = alarmsServices(options.alarms ?? new AlarmStates(), place);
  const query = [
    elbService({ ...options, place }),
    stsService(place),
    stacksService(options.stacks ?? (() => []), place),
    alarms.query,
    topicsService(outbox),
  ];
  const rpc = [
    ecsService(options.ecs, place),
    scalingService(options.ecs, place),
    statesService(options.states, place),
    secretsService(options.secrets, place, invoke),
    alarms.rpc,
    eventsService(outbox, place),
    ...(options.hosts ? [commandsService(options.hosts, place)] : []),
  ];
  const known = [...new Set([...query, ...rpc].map(({ prefix }) => prefix)), 's3', 'lambda'].sort();
  return {
    query: new QueryProtocol(query, known),
    json: new JsonProtocol(rpc, known),
    cbor: new CborProtocol(rpc, known),
    s3: new S3Protocol(options.objects, options.region),
    rest: new RestProtocol(known),
    lambda: new InvokeProtocol({ invoke, has: hasFunction }, place, known),
  };
}

/** What is not signed and not known otherwise is taken for S3: a browser that was given an address. */
function findProtocol({ query, json, cbor, s3, rest, lambda }: Protocols, request: AwsRequest): Protocol {
  if (CborProtocol.isSpokenIn(request)) return cbor;
  if (request.headers['x-amz-target'] !== undefined) return json;
  if (QueryProtocol.isSpokenIn(request)) return query;
  if (request.signedFor === 'lambda') return lambda;
  return request.signedFor === 's3' || request.signedFor === '' ? s3 : rest;
}

async function serve(incoming: IncomingMessage, outgoing: ServerResponse, cloud: LocalCloud): Promise<void> {
  if (!isLocal(incoming.headers.host)) return rejectHost(incoming, outgoing);
  const startedMs = performance.now();
  const { body, isTooLong } = await readBody(incoming);
  const { method = '', url = '', headers } = incoming;
  const { principal, signedFor } = readSignature(url, headers.authorization);
  const request = { method, url, headers, body, id: randomUUID(), principal, signedFor };
  const protocol = findProtocol(cloud.protocols, request);
  const { service, action } = protocol.identify(request);
  const fault = cloud.faults.take({ service, action, principal, path: url.split('?')[0] ?? '' });
  const work = async () => {
    if (isTooLong) throw new AwsError('RequestEntityTooLarge', `The body must be at most ${MAX_BODY_BYTES} bytes`, 413);
    return decide(protocol, request, fault, cloud);
  };
  if (fault && !fault.afterActing && !(await isStillResponded(fault, incoming))) return;
  const { response, error } = await attempt(protocol, request, work);
  if (fault?.afterActing && !(await isStillResponded(fault, incoming))) return;
  send(outgoing, request, response);
  const ms = performance.now() - startedMs;
  cloud.options.onCall?.({ service, action, principal, status: response.status, ms, ...error });
}

/** Whether the call gets a response in the end. One that hangs ends when its client goes away. */
async function isStillResponded({ fault }: SetFault, { socket }: IncomingMessage): Promise<boolean> {
  switch (fault.kind) {
    case 'hang':
      return false;
    case 'reset':
      socket.resetAndDestroy();
      return false;
    case 'delay':
      await setTimeout(fault.ms, undefined, { ref: false });
      return !socket.destroyed;
    case 'wait':
      await fault.until();
      return !socket.destroyed;
    case 'status':
    case 'throttle':
    case 'pretend':
      return true;
  }
}

/** Who calls, what they may, what they want; in this order. */
async function decide(
  protocol: Protocol,
  request: AwsRequest,
  fault: SetFault | undefined,
  cloud: LocalCloud,
): Promise<HttpReply> {
  if (request.headers.authorization === undefined && request.principal === '') {
    throw new AwsError('MissingAuthenticationToken', 'Request is missing Authentication Token', 403);
  }
  if (request.principal === '') {
    throw new AwsError('IncompleteSignature', "Authorization header requires 'Credential' parameter.");
  }
  const error = fault && buildError(fault.fault);
  if (error && !fault.afterActing) throw error;
  checkPresigned(request);
  const demand = (need: Need) => authorize(cloud.options, request.principal, need);
  const call = protocol.open(request);
  call.needs.forEach(demand);
  const response = fault?.fault.kind === 'pretend' ? pretend(call, request) : await call.run(demand);
  if (error) throw error;
  return response;
}

function pretend(call: Call, request: AwsRequest): HttpReply {
  if (call.pretend) return call.pretend();
  throw new Error(`the fault 'pretend' must be for an action that can pretend, got ${request.method} ${request.url}`);
}

function authorize(options: EndpointOptions, accessKeyId: string, need: Need): void {
  try {
    options.authorize?.({ accessKeyId, ...need });
  } catch (error) {
    throw error instanceof AwsError ? new AwsError(error.code, error.message, 403) : error;
  }
}

type Attempt = { readonly response: HttpReply; readonly error?: Pick<ApiCall, 'error'> };

/** Whatever goes wrong is a response in the shape of the protocol; what is not an AwsError is our own fault. */
async function attempt(protocol: Protocol, request: AwsRequest, work: () => Promise<HttpReply>): Promise<Attempt> {
  try {
    return { response: await work() };
  } catch (thrown) {
    const message = thrown instanceof Error ? thrown.message : String(thrown);
    const error = thrown instanceof AwsError ? thrown : new AwsError('InternalFailure', message, 500);
    return { response: protocol.fail(error, request), error: { error: { code: error.code, message: error.message } } };
  }
}

/**
 * `Credential=<access key id>/<date>/<region>/<service>/aws4_request`, in the header or, signed in advance, in the query;
 * empty where there is none.
 */
function readSignature(url: string, authorization: string | undefined): { principal: string; signedFor: string } {
  const inQuery = new URLSearchParams(url.split('?')[1] ?? '').get('X-Amz-Credential');
  const credential = /\bCredential=([^,\s]+)/.exec(authorization ?? '')?.[1] ?? inQuery ?? '';
  const [, principal = '', signedFor = ''] = /^([^/]+)\/(?:[^/]*\/[^/]*\/([^/]*)\/)?/.exec(credential) ?? [];
  return { principal, signedFor };
}

function send(response: ServerResponse, { id, method }: AwsRequest, { status, headers, body }: HttpReply): void {
  const hasNoBody = status === 204 || status === 304;
  const length = hasNoBody ? {} : { 'content-length': Buffer.byteLength(body) };
  response.writeHead(status, { ...length, ...headers, 'x-amzn-requestid': id, 'x-amz-request-id': id });
  response.end(method === 'HEAD' || hasNoBody ? undefined : body);
}

/** Reads to the end even what is too long, so that the client gets its response, but keeps none of it. */
async function readBody(request: IncomingMessage): Promise<{ body: Buffer; isTooLong: boolean }> {
  const chunks: Buffer[] = [];
  let size = 0;
  for await (const chunk of request as AsyncIterable<Buffer>) {
    size += chunk.length;
    if (size <= MAX_BODY_BYTES) chunks.push(chunk);
    else chunks.length = 0;
  }
  return { body: Buffer.concat(chunks), isTooLong: size > MAX_BODY_BYTES };
}

function listen(server: Server, host: string, port: number): Promise<void> {
  return new Promise((resolve, reject) => {
    server.once('error', (error: NodeJS.ErrnoException) => {
      const isTaken = error.code === 'EADDRINUSE';
      reject(isTaken ? new Error(`'port' must be free on ${host}, got ${port}`) : error);
    });
    server.listen(port, host, resolve);
  });
}

function close(server: Server): Promise<void> {
  return new Promise((resolve) => {
    server.close(() => resolve());
    server.closeAllConnections();
  });
}

/** A name that leads to this machine and that no other service can make lead here; S3 puts the bucket before it. */
const LOCAL_HOST = /^(127(\.\d{1,3}){3}|\[::1\]|([\w.-]+\.)?localhost)(:\d{1,5})?$/i;

/** A page of a stranger's whose name was made to lead to this machine (DNS rebinding) sends its own name. */
function isLocal(host: string | undefined): boolean {
  return host !== undefined && LOCAL_HOST.test(host);
}

function rejectHost(request: IncomingMessage, response: ServerResponse): void {
  request.resume();
  response.writeHead(403, { 'content-type': 'text/plain', connection: 'close' });
  response.end("'Host' must be 127.0.0.1 or localhost\n");
}
