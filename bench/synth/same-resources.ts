/** Where two templates are not alike: one line a type. Two apps are compared only while there is none. */
export function differences(ours: ReadonlyMap<string, number>, theirs: ReadonlyMap<string, number>): string[] {
  return [...new Set([...ours.keys(), ...theirs.keys()])]
    .sort()
    .filter((type) => ours.get(type) !== theirs.get(type))
    .map((type) => `${type}: ${ours.get(type) ?? 0} of a migration, ${theirs.get(type) ?? 0} here`);
}
