import { latencyRow } from './latency';
import { memoryRows } from './memory';
import type { Row } from './row';
import { throughputRows } from './throughput';

export const ROWS: readonly Row[] = [...throughputRows, latencyRow, ...memoryRows];
