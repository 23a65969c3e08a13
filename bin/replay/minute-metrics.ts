import { ReplayFigures, formatReplayLine } from '../../core/replay/replay-metrics';

const MINUTE_MS = 60_000;

/** Prints a line of metrics each minute, and one at the end for what came behind the last. */
export function startMetrics(service: string, observe: () => ReplayFigures): { readonly end: () => void } {
  let before: Omit<ReplayFigures, 'lagMs'> = { sent: 0, failed: 0, parked: 0, reordered: 0 };
  const print = () => {
    const now = observe();
    process.stdout.write(`${JSON.stringify(formatReplayLine(service, now, before, Date.now()))}\n`);
    before = now;
  };
  const timer = setInterval(print, MINUTE_MS);
  return {
    end: () => {
      clearInterval(timer);
      print();
    },
  };
}
