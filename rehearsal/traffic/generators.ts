import type { Endpoint } from './transport/endpoint';
import { randomUUID } from 'node:crypto';
import type { Scenario } from '../../core/scenario/scenario';
import type { LongLivedClient } from './scenario/long-lived';
import { makeScenarioClients } from './scenario/scenario-clients';
import { ChatClient } from './clients/chat-client';
import { CookieJar } from './clients/cookie-jar';
import { EventStreamClient } from './clients/event-stream-client';
import { Http1Transport } from './transport/http1-transport';
import { Http2Transport } from './transport/http2-transport';
import { HttpChecker } from './clients/http-checker';
import { Act, Shopper, frontPageReader, pageReader, uploader } from './clients/http-users';
import {
  DEFAULT_RATES,
  MIN_SHARE,
  NO_PAGES_OF_OURS,
  REQUESTS_PER_USER,
  TrafficOptions,
  TrafficRates,
  findArrivalMs,
  findEndpoints,
  http2Rates,
  scenarioRates,
} from './options';
import { machineTime } from '../processes/machine-time';
import { nextShare } from './schedule/governor';
import { Pace } from './schedule/pace';
import { Recorder } from './counting/recorder';
import type { RecordingResult } from './counting/recording-result';
import { RecordingClients, RecordingOptions } from './recording/recording-clients';
import { AskForStream, askOverHttp1, askOverHttp2 } from './transport/stream-request';
import { Transport } from './transport/transport';
import { writer } from './clients/writer';
import { inTurn } from './schedule/schedule';
import { WebSocketClient } from './clients/websocket-client';

const LAST_RESPONSES_MS = 10_000;
/** Of the WebSocket clients, each fifth closes its connections by itself, as people close a page. */
const RESTLESS = 5;

/** How often the rate is decided on. */
const DECIDE_MS = 500;

/** How the users of one kind are made. */
interface User {
  readonly transport: () => Transport;
  readonly act: (checker: HttpChecker, index: number) => Act;
  readonly keepsCookies?: (index: number) => boolean;
  /** Requests that one user has under way. @default - as many as its transport carries */
  readonly maxAtOnce?: number;
}

/** All of the traffic, as it runs in its own process. */
export class Generators {
  readonly recorder = new Recorder();
  /** Of the next client. */
  private readonly nextEndpoint: () => Endpoint;
  private readonly rates: TrafficRates;
  private readonly pace = new Pace();
  private readonly transports: Transport[] = [];
  /** Names the clients of this run apart from those of another one on the same backends. */
  private readonly run = randomUUID().slice(0, 8);
  private readonly webSockets: WebSocketClient[] = [];
  private readonly eventStreams: EventStreamClient[] = [];
  private readonly chats: ChatClient[] = [];
  private scenario: readonly LongLivedClient[] = [];
  private recording: RecordingClients | undefined;
  private readonly lives: Promise<void>[] = [];
  private readonly arrivalMs: number;
  private decides: NodeJS.Timeout | undefined;

  /** @throws Error when an option is wrong. */
  constructor(private readonly options: TrafficOptions) {
    this.nextEndpoint = findEndpoints(options);
    const usual = { ...DEFAULT_RATES, ...options.rates, ...(options.paths ? NO_PAGES_OF_OURS : {}) };
    const rates = options.scenario ? scenarioRates(options.scenario) : usual;
    this.rates = options.isHttp2Only === true ? http2Rates(rates) : rates;
    this.arrivalMs = options.arrivalMs ?? findArrivalMs(this.rates);
  }

  start(): void {
    if (this.options.recording) this.startRecording(this.options.recording);
    else if (this.options.scenario) this.startScenario(this.options.scenario);
    else this.startUsual();
    machineTime.start();
    this.decides = setInterval(() => this.decide(), DECIDE_MS);
  }

  private startUsual(): void {
    const { rates } = this;
    const transport = () => (this.options.isHttp2Only === true ? this.http2() : this.http1(true));
    const act = (checker: HttpChecker) => this.reader(checker);
    const shopper = (checker: HttpChecker, index: number) => new Shopper(checker, `${this.run}-${index}`).act;
    const keepsCookies = (index: number) => this.options.cookies !== false && index % 2 === 1;
    this.users('shop', rates.shop, { transport, act: shopper, keepsCookies: () => true, maxAtOnce: 1 });
    this.users('keep-alive', rates.keepAlive, { transport, act });
    this.users('new-connection', rates.newConnection, { transport: () => this.http1(false), act });
    this.users('http2', rates.http2, { transport: () => this.http2(), act: (one) => this.mixed(one), keepsCookies });
    this.users('echo', rates.echo, { transport, act: uploader });
    this.startWriters(transport);
    this.startWebSockets();
    this.startEventStreams();
    this.startChats();
  }

  private startScenario(scenario: Scenario): void {
    const keep = (transport: Transport) => {
      this.transports.push(transport);
      return transport;
    };
    const routes = {
      origin: this.options.origin,
      http1: () => keep(this.http1(true)),
      http2: () => keep(this.http2()),
      endpoint: this.nextEndpoint,
      askForStream: () => this.askForStream(),
      isHttp2Only: this.options.isHttp2Only === true,
    };
    const { recorder, pace } = this;
    this.scenario = makeScenarioClients(scenario, { recorder, pace, routes, arrivalMs: this.arrivalMs });
    this.scenario.forEach((client, index) => this.arrive(client, index / this.scenario.length));
  }

  private startRecording(recording: RecordingOptions): void {
    const connect = () => {
      const transport = this.options.isHttp2Only === true ? this.http2() : this.http1(true);
      this.transports.push(transport);
      return transport;
    };
    this.recording = new RecordingClients(recording, new URL(this.options.origin).host, connect, this.recorder);
    this.recording.start();
  }

  /**
   * Begins nothing more, and resolves when every response that is owed has come or is given up.
   *
   * @returns what the clients of a recording did; undefined without one
   */
  async stop(): Promise<RecordingResult | undefined> {
    const recorded = this.recording?.stop();
    const started = this.pace.stop();
    const withinMs = this.options.lastResponsesMs ?? LAST_RESPONSES_MS;
    for (const client of [...this.webSockets, ...this.eventStreams, ...this.chats, ...this.scenario])
      client.finish(withinMs);
    await Promise.all([started, recorded, ...this.lives]);
    clearInterval(this.decides);
    this.note();
    for (const transport of this.transports) transport.close();
    return recorded;
  }

  /** Begins nothing more, as if every user had left the keyboard: connections stay. */
  pause(): void {
    this.pace.pause();
    this.recording?.pause();
    for (const client of [...this.chats, ...this.scenario]) client.finish(LAST_RESPONSES_MS);
  }

  private decide(): void {
    const { shop, keepAlive, newConnection, http2, echo } = this.rates;
    const perSecond = shop + keepAlive + newConnection + http2 + echo;
    this.pace.share = nextShare(this.pace.share, {
      isShort: machineTime.isShort,
      backlogSeconds: this.pace.underWay / Math.max(1, perSecond),
      least: this.options.minShare ?? MIN_SHARE,
    });
    this.note();
  }

  /** What this machine could carry, for the next snapshot. */
  private note(): void {
    const { recorder, pace } = this;
    recorder.share = pace.share;
    recorder.machine.minShare = Math.min(recorder.machine.minShare, pace.share);
    recorder.machine.notTried = pace.leftOut;
    recorder.machine.standstillMs = Math.round(machineTime.standstillMs);
  }

  private users(name: string, perSecond: number, { transport, act, keepsCookies, maxAtOnce }: User): void {
    if (perSecond === 0) return;
    const count = Math.ceil(perSecond / REQUESTS_PER_USER);
    this.recorder.http.clients += count;
    this.pace.add({ count, perSecondEach: perSecond / count, arrivalMs: this.arrivalMs }, (index) => {
      const own = transport();
      this.transports.push(own);
      const checker = new HttpChecker(name, own, this.recorder, keepsCookies?.(index) ? new CookieJar() : undefined);
      return inTurn(act(checker, index), maxAtOnce ?? own.maxAtOnce, this.pace.ended, (dueMs) =>
        checker.leaveOut(dueMs),
      );
    });
  }

  private startWriters(transport: () => Transport): void {
    const { writes } = this.rates;
    if (writes === 0) return;
    const record = (this.recorder.record = { sent: [], responses: [] });
    const act = (checker: HttpChecker, index: number) => writer(checker, `writer-${this.run}-${index}`, record);
    this.users('writer', writes, { transport, act, maxAtOnce: 1 });
  }

  private http1(keepAlive: boolean): Transport {
    return new Http1Transport(this.nextEndpoint(), keepAlive, this.countRetry);
  }

  private http2(): Transport {
    return new Http2Transport(this.nextEndpoint(), this.countRetry);
  }

  private readonly countRetry = () => {
    this.recorder.http.retried += 1;
  };

  private reader(checker: HttpChecker): Act {
    return this.options.paths ? pageReader(checker, this.options.paths) : frontPageReader(checker);
  }

  /** Reads, and each fifth time uploads. */
  private mixed(checker: HttpChecker): Act {
    const read = this.reader(checker);
    if (this.options.paths) return read;
    const upload = uploader(checker);
    let turn = 0;
    return (dueMs) => (++turn % 5 === 0 ? upload(dueMs) : read(dueMs));
  }

  private startWebSockets(): void {
    const { webSockets: count, messagesPerSecondEach } = this.rates;
    if (count === 0) return;
    this.recorder.websocket.clients = count;
    this.pace.add({ count, perSecondEach: messagesPerSecondEach, arrivalMs: this.arrivalMs }, (index) => {
      const lifetimeMs = index % RESTLESS === 0 ? () => 5_000 + Math.random() * 10_000 : () => Infinity;
      const client = new WebSocketClient(
        this.nextEndpoint(),
        `websocket-${this.run}-${index}`,
        this.recorder,
        lifetimeMs,
      );
      this.webSockets.push(client);
      this.arrive(client, index / count);
      return (dueMs) => Promise.resolve(client.send(dueMs));
    });
  }

  private startEventStreams(): void {
    const { eventStreams: count } = this.rates;
    this.recorder.serverSentEvents.clients = count;
    for (let index = 0; index < count; index += 1) {
      const name = `event-stream-${this.run}-${index}`;
      const client = new EventStreamClient(this.askForStream(), name, this.recorder);
      this.eventStreams.push(client);
      this.arrive(client, index / count);
    }
  }

  private startChats(): void {
    const { chats: count } = this.rates;
    this.recorder.streaming.clients = count;
    for (let index = 0; index < count; index += 1) {
      const client = new ChatClient(this.askForStream(), `chat-${this.run}-${index}`, this.recorder);
      this.chats.push(client);
      this.arrive(client, index / count);
    }
  }

  private askForStream(): AskForStream {
    const endpoint = this.nextEndpoint();
    return this.options.isHttp2Only === true ? askOverHttp2(endpoint) : askOverHttp1(endpoint);
  }

  private arrive(client: { live(): Promise<void> }, share: number): void {
    // A slow machine lets them come more slowly: each costs a handshake.
    this.lives.push(machineTime.wait(share * this.arrivalMs).then(() => client.live()));
  }
}
