import { Counter, Gauge, Registry, collectDefaultMetrics } from 'prom-client';
import { CONNECTION_KINDS, ENDINGS } from '../../core/connections';
import type { Side } from '../../core/weights';
import type { Ledger } from '../ledger';
import type { StatusClass, TrafficCount } from '../traffic-count';

/** The registry behind `GET /metrics`. The ledger is the one source: its numbers are read when they are asked for. */
export function createMetrics(side: Side, ledger: Ledger, traffic: TrafficCount): Registry {
  const registry = new Registry();
  const registers = [registry];
  collectDefaultMetrics({ register: registry });
  new Gauge({
    name: 'drainshift_connections_active',
    help: 'Live connections by kind.',
    labelNames: ['side', 'kind'],
    registers,
    collect() {
      for (const kind of CONNECTION_KINDS) this.set({ side, kind }, ledger.active[kind]);
    },
  });
  new Counter({
    name: 'drainshift_connections_ended_total',
    help: 'Connections that ended, by kind and by how.',
    labelNames: ['side', 'kind', 'how'],
    registers,
    collect() {
      this.reset();
      const { ended } = ledger;
      for (const kind of CONNECTION_KINDS) for (const how of ENDINGS) this.inc({ side, kind, how }, ended[kind][how]);
    },
  });
  new Counter({
    name: 'drainshift_requests_total',
    help: 'Answered requests by class of status; none: the client left before one.',
    labelNames: ['side', 'class'],
    registers,
    collect() {
      this.reset();
      for (const [name, count] of Object.entries(traffic.byClass) as [StatusClass, number][]) {
        this.inc({ side, class: name }, count);
      }
    },
  });
  return registry;
}
