import { spawnSync } from 'node:child_process';
import { mkdtempSync, readdirSync, readFileSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';

/** One run of one app. */
export interface Synthesis {
  /** From its start to its end. */
  readonly seconds: number;
  readonly cpuSeconds: number;
  /** Its resources: how many of each type. */
  readonly resources: ReadonlyMap<string, number>;
}

/** Runs the app `bench/synth/<name>.ts` into a fresh folder: the assets are staged each time, as after a checkout. */
export function synthesize(name: string): Synthesis {
  const folder = mkdtempSync(join(tmpdir(), 'drainshift-synth-'));
  try {
    const beganMs = performance.now();
    const { status, stdout, stderr } = spawnSync(process.execPath, [join(__dirname, `${name}.js`)], {
      env: { PATH: process.env.PATH, CDK_OUTDIR: folder },
      encoding: 'utf8',
    });
    const seconds = (performance.now() - beganMs) / 1000;
    if (status !== 0) throw new Error(`'${name}' must synthesize, got exit code ${status}: ${stderr}`);
    const { user, system } = JSON.parse(stdout) as NodeJS.CpuUsage;
    return { seconds, cpuSeconds: (user + system) / 1e6, resources: resourcesIn(folder) };
  } finally {
    rmSync(folder, { recursive: true, force: true });
  }
}

function resourcesIn(folder: string): Map<string, number> {
  const [template] = readdirSync(folder).filter((file) => file.endsWith('.template.json'));
  const { Resources } = JSON.parse(readFileSync(join(folder, template ?? 'none'), 'utf8')) as {
    Resources: Record<string, { Type: string }>;
  };
  const counts = new Map<string, number>();
  for (const { Type } of Object.values(Resources)) counts.set(Type, (counts.get(Type) ?? 0) + 1);
  return counts;
}
