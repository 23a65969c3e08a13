import type { Launch } from '../processes/children';
import type { Workplace } from '../processes/workplace';

/** Runs a judge to its end. @returns its exit code, and what it said */
export async function runJudge(
  place: Workplace,
  name: string,
  launch: Launch,
): Promise<{ readonly code: number | string; readonly said: string }> {
  const child = place.children.start(launch, { name });
  const code = await child.ended;
  return { code, said: child.log() };
}
