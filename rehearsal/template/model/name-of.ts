import type { Blueprint } from './stack-model';

/** Of a function by its role, or of a person. */
export function nameOf({ functions }: Blueprint, principal: string): string {
  return functions.find(({ role }) => role === principal)?.name ?? 'a person';
}
