import { identifier } from './identify';
import { Resolver } from './resolve';
import { Stack } from './template';

/** The stacks of an assembly, each knowing what the others export. */
export function connected(stacks: readonly Stack[]): Stack[] {
  const listExports = stacks.map((stack) => {
    let known: ReadonlyMap<string, string> | undefined;
    // Resolved when something is imported: an export may import itself.
    return () => (known ??= readExports(connectedStacks.find(({ name }) => name === stack.name) ?? stack));
  });
  const connectedStacks: Stack[] = stacks.map((stack, index) => ({
    ...stack,
    importValue: (name) => {
      const others = listExports.filter((_, other) => other !== index && isSamePlace(stack, stacks[other]));
      return others.map((exported) => exported().get(name)).find((value) => value !== undefined);
    },
  }));
  return connectedStacks;
}

function isSamePlace(stack: Stack, other: Stack | undefined): boolean {
  return stack.account === other?.account && stack.region === other.region;
}

function readExports(stack: Stack): Map<string, string> {
  const resolver = new Resolver(stack, identifier(stack));
  const outputs = Object.values(stack.template.Outputs ?? {});
  return new Map(
    outputs.flatMap(({ Value, Export }) =>
      Export ? [[resolver.text(Export.Name), resolver.text(Value)] as const] : [],
    ),
  );
}
