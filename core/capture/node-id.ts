import { SIDES, Side } from '../traffic/weights';

/** What a record is named by: the process that wrote it, and the backend that its request went to. */
export function formatNodeId(process: string, side: Side): string {
  return `${process}@${side}`;
}

/** The backend that served what a record is about; undefined of records that others than a proxy of this project have written. */
export function findNodeSide(nodeId: string): Side | undefined {
  return SIDES.find((side) => nodeId.endsWith(`@${side}`));
}
