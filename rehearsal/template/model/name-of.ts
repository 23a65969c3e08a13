import type { StackModel } from './stack-model';

/** Of a function by its role, or of a person. */
export function formatName({ functions }: StackModel, principal: string): string {
  return functions.find(({ role }) => role === principal)?.name ?? 'a person';
}
