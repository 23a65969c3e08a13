import { formatOdds } from '../../core/judge/odds';
import { MAX_ODDS } from '../../core/plan/judge-plan';
import { SIDES, Side, formatWeights } from '../../core/traffic/weights';
import type { Sample } from '../progress/samples';
import { Figure, Panel, Step, figure } from './figure';
import { findPhases } from './data/phases';
import type { Cutover } from './data/read';
import { Figures, findFigures, findLatencies, findWeightSteps, sumFigures } from './data/series';
import { Axis, formatDate, formatElapsed } from './data/time-axis';

/** So many samples of a rehearsal are drawn. */
const MAX_SAMPLES = 240;

const number = (value: number) => value.toLocaleString('en-US', { maximumFractionDigits: 2 });
const milliseconds = (value: number) =>
  !Number.isFinite(value) ? 'over 65 s' : value >= 1000 ? `${number(value / 1000)} s` : `${number(value)} ms`;

function findAxis({ fromMs, toMs }: Cutover): Axis {
  return { fromMs, toMs, zeroMs: fromMs };
}

function findMarks(cutover: Cutover): number[] {
  return findWeightSteps(cutover).slice(1).map(({ fromMs }) => fromMs); // prettier-ignore
}

/** Weights, requests, errors and latency of both sides, as the proxies counted them. */
export function trafficFigure(cutover: Cutover): string {
  const figures = findFigures(cutover);
  const panels = [
    weightPanel(cutover),
    ...(figures.length === 0 ? [] : countPanels(figures)),
    ...latencyPanels(cutover),
  ];
  const drawn: Figure = {
    id: 'traffic',
    title: 'Weights, requests, errors and latency of both sides over time',
    text: describeTraffic(cutover, figures),
    axis: findAxis(cutover),
    phases: findPhases(cutover),
    legend: SIDES,
    marks: findMarks(cutover),
    panels: panels.filter(({ steps }) => steps.length > 0),
  };
  return figure(drawn, trafficNote(cutover, figures));
}

function trafficNote(cutover: Cutover, figures: readonly Figures[]): string {
  const start = `0 is the start of the cutover, ${formatDate(cutover.fromMs)}. A dashed upright line is a change of the weights.`;
  if (figures.length === 0) return start;
  const many = cutover.polls.length > figures.length;
  const thin = many
    ? ` ${number(cutover.polls.length)} polls are drawn as ${number(figures.length)} steps: each is the sum of its polls, and of odds the highest.`
    : '';
  return `${start} Requests, errors and latency are what the proxies counted from the first shift on. Latencies are drawn where there were 100 responses to time.${thin}`;
}

function describeTraffic(cutover: Cutover, figures: readonly Figures[]): string {
  const { source, target } = sumFigures(figures);
  const way = findWeightSteps(cutover).map(({ weights }) => formatWeights(weights));
  return [
    `The weights (source/target) were ${way.length === 0 ? 'not recorded' : way.slice(0, 50).join(', then ')}.`,
    `The source took ${number(source.requests)} requests and had ${number(source.errors)} errors,`,
    `the target ${number(target.requests)} and ${number(target.errors)}, in ${number(cutover.polls.length)} polls.`,
  ].join(' ');
}

function weightPanel(cutover: Cutover): Panel {
  const steps = findWeightSteps(cutover).flatMap(({ fromMs, toMs, weights: { source, target } }): Step[] => {
    const all = source + target;
    return all > 0 ? [{ fromMs, toMs, values: { source: (100 * source) / all, target: (100 * target) / all } }] : [];
  });
  return {
    title: 'Weights: share of each side',
    ...{ height: 56, kind: 'areas', bands: SIDES, steps, scale: 'linear', atLeast: 100 },
    format: (value) => `${number(value)} %`,
  };
}

function countPanels(figures: readonly Figures[]): Panel[] {
  const findSteps = (name: 'requests' | 'errors') =>
    figures.flatMap(({ fromMs, toMs, counted }): Step[] => {
      if (toMs <= fromMs || !counted) return [];
      const seconds = (toMs - fromMs) / 1000;
      const rate = (side: Side) => Math.max(0, counted[side][name]) / seconds;
      const values = { source: rate('source'), target: rate('target') };
      return [{ fromMs, toMs, values }];
    });
  const shared = { bands: SIDES, scale: 'linear', format: number } as const;
  return [
    {
      title: 'Requests per second',
      ...{ ...shared, height: 120, kind: 'areas', steps: findSteps('requests'), atLeast: 10 },
    },
    { title: 'Errors per second', ...{ ...shared, height: 60, kind: 'areas', steps: findSteps('errors'), atLeast: 1 } },
  ];
}

function latencyPanels(cutover: Cutover): Panel[] {
  const found = SIDES.map((side) => ({ side, latencies: findLatencies(cutover, side) }));
  const findSteps = (name: 'half' | 'most') =>
    found
      .flatMap(({ side, latencies }) =>
        latencies.map(({ fromMs, toMs, ...each }): Step => ({ fromMs, toMs, values: { [side]: each[name] } })),
      )
      .sort((a, b) => a.fromMs - b.fromMs);
  const shared = {
    height: 60,
    kind: 'lines',
    bands: SIDES,
    scale: 'linear',
    atLeast: 10,
    format: milliseconds,
  } as const;
  return [
    { title: 'Latency: half took at most', ...shared, steps: findSteps('half') },
    { title: 'Latency: 99 of 100 took at most', ...shared, steps: findSteps('most') },
  ];
}

/** The odds against the side that gets the traffic; empty of a cutover without any. */
export function oddsFigure(cutover: Cutover): string {
  const figures = findFigures(cutover).filter(({ odds }) => odds !== undefined);
  const highest = figures.reduce((max, { odds = 0 }) => Math.max(max, odds), 0);
  if (figures.length === 0) return '';
  const steps = figures.map(({ toMs, odds = 0 }, index): Step => {
    const next = figures[index + 1];
    return { fromMs: toMs, toMs: next?.toMs ?? Math.min(cutover.toMs, toMs + 1_000), values: { odds } };
  });
  const { to } = cutover.direction;
  const drawn: Figure = {
    id: 'odds',
    title: `The odds against the ${to} over time`,
    text: `The highest are ${formatOdds(highest)}; at ${formatOdds(MAX_ODDS)} the cutover rolls back.`,
    axis: findAxis(cutover),
    phases: findPhases(cutover),
    legend: [],
    marks: findMarks(cutover),
    panels: [
      {
        title: `Odds (to 1) that the ${to} is worse`,
        ...{ height: 150, kind: 'lines', bands: ['odds'], steps, scale: 'log', atLeast: 1_000 },
        format: number,
        limit: { value: MAX_ODDS, label: `rolls back at ${formatOdds(MAX_ODDS)}` },
      },
    ],
  };
  return figure(
    drawn,
    `Odds of 1 : 1 say nothing, and each line of the scale is ten times the one below. The higher the line, the surer it is that the ${to} is worse. A whole cutover has one budget: of 100 that are healthy at most one is rolled back by chance.`,
  );
}

/** What the clients of a rehearsal got; undefined of a run too short. */
export function clientFigure(cutover: Cutover, all: readonly Sample[]): string | undefined {
  const every = Math.ceil(all.length / MAX_SAMPLES);
  const samples = all.filter((_, index) => index % every === 0 || index === all.length - 1);
  const [first, last] = [samples[0], samples.at(-1)];
  if (!first || !last || samples.length < 4) return undefined;
  const axis: Axis = { fromMs: first.atMs, toMs: last.atMs, zeroMs: cutover.fromMs };
  const marks = samples.filter(
    ({ weights }, index) => index > 0 && formatWeights(weights) !== formatWeights(samples[index - 1]!.weights),
  );
  const drawn: Figure = {
    id: 'clients',
    title: 'Responses, losses and live connections of the clients over time',
    text: `The clients got ${number(last.responses.source)} responses of the source and ${number(last.responses.target)} of the target, and ${number(last.wrong)} wrong ones.`,
    axis,
    phases: [],
    legend: SIDES,
    marks: marks.map(({ atMs }) => atMs),
    panels: clientPanels(samples),
  };
  const before = formatElapsed(cutover.fromMs - first.atMs);
  return figure(drawn, `0 is the start of the cutover; the clients were there ${before} before it.`);
}

function clientPanels(samples: readonly Sample[]): Panel[] {
  const shared = { kind: 'areas', scale: 'linear', format: number } as const;
  const lasting = ({ live }: Sample, side: Side) =>
    Object.entries(live[side]).reduce((all, [kind, n]) => all + (kind === 'http' ? 0 : n), 0);
  const findSteps = (values: (sample: Sample, before: Sample, seconds: number) => Step['values']) =>
    samples.slice(1).flatMap((sample, index): Step[] => {
      const before = samples[index]!;
      if (sample.atMs <= before.atMs) return [];
      const seconds = (sample.atMs - before.atMs) / 1000;
      return [{ fromMs: before.atMs, toMs: sample.atMs, values: values(sample, before, seconds) }];
    });
  const grown = (now: number, before: number, seconds: number) => Math.max(0, now - before) / seconds;
  return [
    {
      title: 'Responses per second',
      ...{ ...shared, height: 120, bands: SIDES, atLeast: 10 },
      steps: findSteps(({ responses }, before, seconds) => ({
        source: grown(responses.source, before.responses.source, seconds),
        target: grown(responses.target, before.responses.target, seconds),
      })),
    },
    {
      title: 'Losses per second',
      ...{ ...shared, height: 50, bands: ['lost'], atLeast: 1 },
      steps: findSteps(({ wrong }, before, seconds) => ({ lost: grown(wrong, before.wrong, seconds) })),
    },
    {
      title: 'Live WebSockets and streams',
      ...{ ...shared, height: 90, bands: SIDES, atLeast: 10 },
      steps: findSteps((sample) => ({ source: lasting(sample, 'source'), target: lasting(sample, 'target') })),
    },
  ];
}
