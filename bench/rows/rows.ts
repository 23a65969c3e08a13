import { latencyRow } from './latency.ts';
import { memoryRows } from './memory.ts';
import type { Row } from './row.ts';
import { throughputRows } from './throughput.ts';

export const ROWS: readonly Row[] = [...throughputRows, latencyRow, ...memoryRows];
