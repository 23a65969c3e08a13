import type { SmokeRequest } from '../../core/plan/plan';
import { Scenario, countClients, requestsPerVisit } from '../../core/scenario/scenario';
import { clientAddress } from '../processes/loopback';
import type { RecordingOptions } from './recording/recording-clients';
import { REQUESTS_PER_DRAW } from './scenario/visitor';
import type { Endpoint } from './transport/endpoint';

export interface TrafficOptions {
  /** `https://shop.example.com`: the name of which is sent as SNI and Host, and which the certificate must carry. */
  readonly origin: string;
  /** Where the load balancer's `:443` listener really is. */
  readonly connectTo: { readonly host: string; readonly port: number };
  /** PEM of the authority that the load balancer's certificate is checked against. */
  readonly ca: string;
  readonly rates?: Partial<TrafficRates>;
  /**
   * GETs with their expected status, for backends that are not ours: no sessions, no WebSockets, no streams.
   * @default - the default backend's pages
   */
  readonly paths?: readonly SmokeRequest[];
  /**
   * What the clients do, in place of `rates` and `paths`.
   * @default - the default backend's pages, or `paths`
   */
  readonly scenario?: Scenario;
  /**
   * A recording whose requests are sent, in place of `rates`, `paths` and `scenario`.
   * @default - none
   */
  readonly recording?: RecordingOptions;
  /**
   * Whether each second HTTP/2 session keeps cookies, as browsers do. Shoppers and long-lived clients always do.
   * @default true
   */
  readonly cookies?: boolean;
  /**
   * Whether the load balancer's groups take HTTP/2 alone: then all clients speak it, and there are no WebSockets and no
   * connections of one request.
   * @default false
   */
  readonly isHttp2Only?: boolean;
  /**
   * Whether each client comes from a loopback address of its own, so that applications can tell clients from hops.
   * @default false
   */
  readonly hasOwnAddresses?: boolean;
  /**
   * Clients arrive over this time, not all at once.
   * @default - as many a second as of the default traffic: `findArrivalMs`
   */
  readonly arrivalMs?: number;
  /**
   * How long a long-lived client may take at the end to get back and to be served once more, in the time of this machine.
   * @default 10_000
   */
  readonly lastResponsesMs?: number;
  /**
   * Of the full rate (0–1): a slow machine reduces the traffic to no less.
   * @default 0.1
   */
  readonly minShare?: number;
}

/** HTTP requests per second by generator, and numbers of long-lived clients. */
export interface TrafficRates {
  /** HTTP/1.1, kept alive, with cookies: logs in, fills a cart, checks all of it. */
  readonly shop: number;
  /** HTTP/1.1, kept alive, without cookies. */
  readonly keepAlive: number;
  /** HTTP/1.1, a connection a request. */
  readonly newConnection: number;
  /** Reads, and each fifth time uploads; each second session keeps cookies. */
  readonly http2: number;
  /** HTTP/1.1 uploads of 0–64 KiB, some of them chunked. */
  readonly echo: number;
  /** HTTP/1.1, kept alive: writes that their clients and both sides count, for a plan that switches. */
  readonly writes: number;
  readonly webSockets: number;
  readonly messagesPerSecondEach: number;
  readonly eventStreams: number;
  /** Clients that ask one question after the other and get each response as a stream, as of a language model. */
  readonly chats: number;
}

/** A user sends so many requests a second; a rate is reached by the number of users. */
export const REQUESTS_PER_USER = 4;

/** A tenth of the traffic is a rehearsal still, one that takes its time. */
export const MIN_SHARE = 0.1;

/** What is not sent to backends that are not ours. */
export const NO_PAGES_OF_OURS: Partial<TrafficRates> = {
  shop: 0,
  echo: 0,
  writes: 0,
  webSockets: 0,
  eventStreams: 0,
  chats: 0,
};

export const DEFAULT_RATES: TrafficRates = {
  shop: 70,
  keepAlive: 55,
  newConnection: 10,
  http2: 45,
  echo: 20,
  writes: 0,
  webSockets: 200,
  messagesPerSecondEach: 1,
  eventStreams: 20,
  chats: 10,
};

/** In which the clients of the default traffic arrive. */
const ARRIVAL_MS = 4_000;

/** How long the clients of such traffic take to arrive: fewer take less time, more take no longer. */
export function findArrivalMs(rates: TrafficRates): number {
  return ARRIVAL_MS * Math.min(1, countArrivals(rates) / countArrivals(DEFAULT_RATES));
}

function countArrivals({ shop, keepAlive, newConnection, http2, echo, writes, ...stay }: TrafficRates): number {
  const perSecond = shop + keepAlive + newConnection + http2 + echo + writes;
  return stay.webSockets + stay.eventStreams + stay.chats + perSecond / REQUESTS_PER_USER;
}

/** Of a plan that switches: it has to show that there is one writer. */
export const SWITCH_RATES: TrafficRates = { ...DEFAULT_RATES, writes: 60 };

/**
 * The default rates, times `factor`.
 *
 * @param factor at least 0.1, which leaves each kind of client one of its own
 */
export function timesRates(factor: number, usual: TrafficRates = DEFAULT_RATES): TrafficRates {
  const { messagesPerSecondEach, ...rates } = usual;
  const scaled = Object.entries(rates).map(([name, rate]) => [name, Math.round(rate * factor)] as const);
  return { ...(Object.fromEntries(scaled) as typeof rates), messagesPerSecondEach };
}

/** Clients that stay keep the side that they came to. The others are drawn by the weights, for all of a visit or the most of it. */
const VISITORS = 0.5;

/**
 * A scenario as the rates name it: its new visitors are like clients without cookies, the rest of its requests like those of
 * shoppers.
 */
export function scenarioRates(scenario: Scenario): TrafficRates {
  const { requestsPerSecond, webSockets, eventStreams, streams } = scenario;
  const visits = (requestsPerSecond * VISITORS) / Math.min(REQUESTS_PER_DRAW, requestsPerVisit(scenario));
  return {
    ...{ newConnection: 0, http2: 0, echo: 0, writes: 0, messagesPerSecondEach: 1 },
    keepAlive: visits,
    shop: requestsPerSecond - visits,
    webSockets: countClients(webSockets),
    eventStreams: countClients(eventStreams),
    chats: countClients(streams),
  };
}

/** Requests of a recording are like those of clients without cookies: the weights share them out. */
export function recordingRates(requestsPerSecond: number): TrafficRates {
  const { messagesPerSecondEach } = DEFAULT_RATES;
  const none = { shop: 0, newConnection: 0, http2: 0, echo: 0, writes: 0, webSockets: 0, eventStreams: 0, chats: 0 };
  return { ...none, keepAlive: requestsPerSecond, messagesPerSecondEach };
}

/** The same scenario with its rate and its numbers of clients times `factor`, of each kind at least one. */
export function timesScenario(scenario: Scenario, factor: number): Scenario {
  const scale = <T extends { readonly clients: number }>(each: T): T => ({
    ...each,
    clients: Math.max(1, Math.round(each.clients * factor)),
  });
  return {
    ...scale(scenario),
    requestsPerSecond: scenario.requestsPerSecond * factor,
    webSockets: scenario.webSockets.map(scale),
    eventStreams: scenario.eventStreams.map(scale),
    streams: scenario.streams.map(scale),
  };
}

/** What is left of rates where all clients speak HTTP/2. */
export function http2Rates(rates: TrafficRates): TrafficRates {
  return { ...rates, newConnection: 0, webSockets: 0 };
}

/** @throws Error when the origin is not an https URL. */
export function findEndpoint({ origin, connectTo, ca }: TrafficOptions): Endpoint {
  const url = URL.parse(origin);
  if (url?.protocol !== 'https:') throw new Error(`'origin' must be an https URL, got ${origin}`);
  return { host: connectTo.host, port: connectTo.port, ca, serverName: url.hostname, authority: url.host };
}

/** The same for each client, from an address of its own where there are such. */
export function findEndpoints(options: TrafficOptions): () => Endpoint {
  const endpoint = findEndpoint(options);
  if (options.hasOwnAddresses !== true) return () => endpoint;
  let clients = 0;
  return () => ({ ...endpoint, localAddress: clientAddress(clients++) });
}
