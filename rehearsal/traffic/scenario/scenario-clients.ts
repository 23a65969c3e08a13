import { Scenario, countClients, listEntries } from '../../../core/scenario/scenario';
import { EntryRecorder } from '../counting/entries';
import type { Recorder } from '../counting/recorder';
import type { Pace } from '../schedule/pace';
import { inTurn } from '../schedule/schedule';
import type { Endpoint } from '../transport/endpoint';
import type { AskForStream } from '../transport/stream-request';
import type { Transport } from '../transport/transport';
import { EventReader } from './event-reader';
import type { LongLivedClient, LongLivedSetup } from './long-lived';
import { ScriptClient } from './script-client';
import { StepChecker } from './step-checker';
import { StreamAsker } from './stream-asker';
import { Visit } from './visit';
import { JourneyPicker, Visitor } from './visitor';

/** How the clients of a scenario reach the load balancer; each call is for one client. */
export interface ScenarioRoutes {
  readonly origin: string;
  readonly http1: () => Transport;
  readonly http2: () => Transport;
  readonly endpoint: () => Endpoint;
  readonly askForStream: () => AskForStream;
  /** Clients can speak HTTP/2 alone. */
  readonly isHttp2Only: boolean;
}

interface Parts {
  readonly recorder: Recorder;
  readonly pace: Pace;
  readonly routes: ScenarioRoutes;
  readonly arrivalMs: number;
}

/** Adds the visitors of a scenario to the pace, and makes its other clients, in the order in which they come. */
export function makeScenarioClients(scenario: Scenario, parts: Parts): LongLivedClient[] {
  const { recorder, routes } = parts;
  const entries = listEntries(scenario);
  recorder.entries = new EntryRecorder(entries);
  addVisitors(scenario, parts);
  let number = scenario.clients;
  const setUp = (name: string): LongLivedSetup => {
    const visit = new Visit(`${(number += 1)}`, routes.origin, scenario.cookies);
    const transport = routes.isHttp2Only ? routes.http2() : routes.http1();
    return { name, start: scenario.start, visit, checker: new StepChecker(transport, recorder, visit), recorder };
  };
  const { eventStreams, streams } = scenario;
  const webSockets = routes.isHttp2Only ? [] : scenario.webSockets;
  recorder.websocket.clients = countClients(webSockets);
  recorder.serverSentEvents.clients = countClients(eventStreams);
  recorder.streaming.clients = countClients(streams);
  return [
    ...webSockets.flatMap((spec) =>
      times(spec.clients, () => new ScriptClient(routes.endpoint(), spec, setUp(spec.name))),
    ),
    ...eventStreams.flatMap((spec) =>
      times(spec.clients, () => new EventReader(routes.askForStream(), spec, setUp(spec.name))),
    ),
    ...streams.flatMap((spec) =>
      times(spec.clients, () => new StreamAsker(routes.askForStream(), spec, setUp(spec.name))),
    ),
  ];
}

/** Each second one stays, and each second of both kinds speaks HTTP/2, as browsers do. */
function addVisitors(scenario: Scenario, { recorder, pace, routes, arrivalMs }: Parts): void {
  const { clients: count, requestsPerSecond } = scenario;
  const picker = new JourneyPicker(scenario.journeys);
  recorder.http.clients = count;
  pace.add({ count, perSecondEach: requestsPerSecond / count, arrivalMs }, (index) => {
    const isHttp2 = routes.isHttp2Only || index % 4 >= 2;
    const visit = new Visit(`${index + 1}`, routes.origin, scenario.cookies);
    const checker = new StepChecker(isHttp2 ? routes.http2() : routes.http1(), recorder, visit);
    const visitor = new Visitor(scenario, picker, checker, visit, index % 2 === 1);
    return inTurn(visitor.act, 1, pace.ended, (dueMs) => checker.leaveOut(dueMs));
  });
}

function times<T>(count: number, make: () => T): T[] {
  return Array.from({ length: count }, make);
}
