export type OperationType = 'query' | 'mutation' | 'subscription';

/** What matters outside of selections: texts and comments that may hold braces, braces, and names. */
const TOKEN = /"""(?:\\"""|[^])*?(?:"""|$)|"(?:\\.|[^"\\\n])*"?|#[^\n\r]*|[{}()[\]]|[_A-Za-z][_0-9A-Za-z]*|\S/g;

/**
 * Which operation of a document is asked for. Undefined where that is not certain: no such one, several of which none is named, or
 * what is no document.
 *
 * @see https://spec.graphql.org/October2021/#sec-Document
 */
export function findOperationType(document: string, operationName: string | undefined): OperationType | undefined {
  const operations = listOperations(document);
  if (operationName === undefined) return operations.length === 1 ? operations[0]!.type : undefined;
  const named = operations.filter(({ name }) => name === operationName);
  return named.length === 1 ? named[0]!.type : undefined;
}

interface Operation {
  readonly type: OperationType;
  readonly name: string | undefined;
}

function listOperations(document: string): Operation[] {
  const found: Operation[] = [];
  let depth = 0;
  /** Of the definition whose selections have not begun. */
  let head: string[] = [];
  for (const [token] of document.matchAll(TOKEN)) {
    if (token.startsWith('#')) continue;
    if (depth === 0 && token === '{') {
      const operation = parseHead(head);
      if (operation !== undefined) found.push(operation);
      head = [];
    }
    if (depth === 0 && !isBracket(token)) head.push(token);
    if ('{(['.includes(token)) depth += 1;
    if ('})]'.includes(token)) depth -= 1;
  }
  return found;
}

const isBracket = (token: string) => '{}()[]'.includes(token);

/** `query Name`, `{` alone, or a fragment. */
function parseHead([keyword, next]: readonly string[]): Operation | undefined {
  if (keyword === undefined) return { type: 'query', name: undefined };
  if (keyword !== 'query' && keyword !== 'mutation' && keyword !== 'subscription') return undefined;
  return { type: keyword, name: next === undefined || next === '@' ? undefined : next };
}
