import pc from 'picocolors';
import { CONNECTION_KINDS, KIND_FACTS, KindCounts } from '../../core/proxy/connections';
import { printableLine } from '../../core/text/printable';
import type { SwitchRecord } from '../../core/switch/switch-record';
import { SIDES, Side, formatWeights } from '../../core/traffic/weights';
import { Painter, listSwitchLines } from '../timeline/switch-lines';
import { describeSwitchSample, describeTask, listStates } from './switch-sample';
import type { Sample, SwitchSample } from './samples';
import type { ProgressReporter } from './progress-reporter';

/** Without a terminal a line is written this often: enough to follow, little enough for a log. */
const LINE_EVERY_MS = 2_000;
const BAR = 40;
const COLOURS: Readonly<Record<Side, (text: string) => string>> = { source: pc.blue, target: pc.green };

/** Live progress: a block that is drawn anew on a terminal, a line now and then in a log. */
export class Progress implements ProgressReporter {
  readonly isLive: boolean;
  private drawn = 0;
  private lastLineMs = 0;
  private previous: Sample | undefined;
  /** The block of the last sample, and the lines of the switch that is under way below it. */
  private shown: readonly string[] = [];
  private ofSwitch: readonly string[] = [];
  private lastStates = '';
  private lastSwitchMs = 0;
  private readonly startedMs = Date.now();

  constructor(private readonly out: NodeJS.WriteStream) {
    this.isLive = out.isTTY;
  }

  step(text: string): void {
    this.clear();
    this.out.write(`${pc.dim(this.clock(Date.now()))} ${printableLine(text)}\n`);
  }

  progress(sample: Sample): void {
    if (this.isLive) {
      this.shown = this.block(sample);
      this.redraw();
    } else if (sample.atMs - this.lastLineMs >= LINE_EVERY_MS) {
      this.lastLineMs = sample.atMs;
      this.out.write(`${this.line(sample)}\n`);
      this.previous = sample;
    }
    if (this.isLive) this.previous = sample;
  }

  /** A line for each task, drawn anew in place; in a log one line when a task is in another state, and now and then. */
  switching(sample: SwitchSample): void {
    if (this.isLive) {
      const tasks = sample.tasks.map((task) => {
        return `    ${COLOURS[task.home](task.label.padEnd(9))} ${describeTask(task)}`;
      });
      this.ofSwitch = [`  ${describeSwitchSample(sample)}`, ...tasks];
      return this.redraw();
    }
    const states = listStates(sample);
    if (states === this.lastStates && sample.atMs - this.lastSwitchMs < LINE_EVERY_MS) return;
    this.lastStates = states;
    this.lastSwitchMs = sample.atMs;
    const tasks = sample.tasks.map((task) => `${task.label} ${describeTask(task)}`);
    this.out.write(`${this.clock(sample.atMs)} ${[describeSwitchSample(sample), ...tasks].join(' | ')}\n`);
  }

  switched(record: SwitchRecord): void {
    this.ofSwitch = [];
    this.lastStates = '';
    this.clear();
    const lines = listSwitchLines(record, this.isLive ? paint : (_, text) => text);
    this.out.write(`${pc.dim(this.clock(Date.now()))} ${lines.join('\n')}\n`);
  }

  /** Takes the block away, so that what is written next stands alone. */
  clear(): void {
    if (this.drawn > 0) this.out.write(`\x1b[${this.drawn}A\x1b[0J`);
    this.drawn = 0;
  }

  private line(sample: Sample): string {
    const sides = SIDES.map((side) => `${side} ${this.rate(sample, side)} req/s, ${ledger(sample.live[side])}`);
    const stage = `stage ${sample.stage}/${sample.stages}`;
    return `${this.clock(sample.atMs)} ${printableLine(sample.state).padEnd(13)} ${stage} weights ${formatWeights(sample.weights).padEnd(6)} wrong ${sample.wrong} | ${sides.join(' | ')}${reduced(sample)}`;
  }

  private block(sample: Sample): string[] {
    const { source, target } = sample.weights;
    const filled = Math.round((BAR * target) / Math.max(1, source + target));
    const bar = `${pc.blue('█'.repeat(BAR - filled))}${pc.green('█'.repeat(filled))}`;
    return [
      `${this.clock(sample.atMs)} ${pc.bold(printableLine(sample.state))}  stage ${sample.stage} of ${sample.stages}${sample.draining ? '  source draining' : ''}`,
      `  weights  ${bar} ${formatWeights(sample.weights)}`,
      ...SIDES.map((side) => {
        const responses = sample.responses[side].toLocaleString('en-US').padStart(7);
        return `  ${COLOURS[side](side.padEnd(8))} ${responses} responses ${this.rate(sample, side).padStart(4)} req/s   ledger ${ledger(sample.live[side])}`;
      }),
      `  wrong    ${sample.wrong === 0 ? pc.green('0') : pc.red(String(sample.wrong))}   WebSocket messages with a response ${sample.messages.toLocaleString('en-US')}${reduced(sample)}`,
    ];
  }

  private redraw(): void {
    const lines = [...this.shown, ...this.ofSwitch];
    const width = this.out.columns > 0 ? this.out.columns : Infinity;
    this.clear();
    // A line that wraps would count twice; one that is cut loses its colours with its end.
    const fitting = lines.map((line) => (plain(line).length > width ? plain(line).slice(0, width) : line));
    this.out.write(`${fitting.join('\n')}\n`);
    this.drawn = lines.length;
  }

  private rate(sample: Sample, side: Side): string {
    const { previous } = this;
    // The counts begin anew with other traffic.
    if (!previous || sample.atMs <= previous.atMs || sample.responses[side] < previous.responses[side]) return '0';
    return Math.round(
      (1000 * (sample.responses[side] - previous.responses[side])) / (sample.atMs - previous.atMs),
    ).toString();
  }

  private clock(atMs: number): string {
    const seconds = (atMs - this.startedMs) / 1000;
    return `${String(Math.floor(seconds / 60)).padStart(2, '0')}:${(seconds % 60).toFixed(1).padStart(4, '0')}`;
  }
}

const paint: Painter = (glyph, text) => {
  if (glyph === 'source' || glyph === 'target') return COLOURS[glyph](text);
  if (glyph === 'empty') return pc.dim(text);
  return glyph === 'busy' || glyph === 'deciding' ? pc.yellow(text) : pc.red(text);
};

/** A machine that cannot carry the traffic says so. */
function reduced({ share = 1 }: Sample): string {
  return share < 1 ? ` | traffic reduced to ${Math.round(100 * share)} %: this machine is slow` : '';
}

function ledger(live: KindCounts): string {
  return CONNECTION_KINDS.map((kind) => `${KIND_FACTS[kind].short} ${live[kind]}`).join(' ');
}

function plain(line: string): string {
  return line.replace(/\x1b\[\d+m/g, '');
}
