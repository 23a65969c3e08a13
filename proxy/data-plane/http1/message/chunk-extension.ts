import { isTokenCode } from '../../fields/field-lines';

/** Where in the extensions of a chunk (RFC 9112 section 7.1.1) the last byte was. */
export type ExtensionState =
  'before' | 'nameFirst' | 'name' | 'nameGap' | 'valueFirst' | 'value' | 'quoted' | 'escaped' | 'valueEnd';

type Part = 'space' | 'semicolon' | 'equals' | 'quote' | 'backslash' | 'token' | 'other';

const NEXT: Readonly<Record<ExtensionState, Partial<Record<Part, ExtensionState>>>> = {
  before: { space: 'before', semicolon: 'nameFirst' },
  nameFirst: { space: 'nameFirst', token: 'name' },
  name: { token: 'name', space: 'nameGap', equals: 'valueFirst', semicolon: 'nameFirst' },
  nameGap: { space: 'nameGap', equals: 'valueFirst', semicolon: 'nameFirst' },
  valueFirst: { space: 'valueFirst', quote: 'quoted', token: 'value' },
  value: { token: 'value', space: 'before', semicolon: 'nameFirst' },
  quoted: everything('quoted', { quote: 'valueEnd', backslash: 'escaped' }),
  escaped: everything('quoted', {}),
  valueEnd: { space: 'before', semicolon: 'nameFirst' },
};

function everything(
  state: ExtensionState,
  but: Partial<Record<Part, ExtensionState>>,
): Partial<Record<Part, ExtensionState>> {
  const all = ['space', 'semicolon', 'equals', 'quote', 'backslash', 'token', 'other'] as const;
  return { ...Object.fromEntries(all.map((part) => [part, state])), ...but };
}

const SPECIAL: ReadonlyMap<number, Part> = new Map([
  [9, 'space'],
  [32, 'space'],
  [59, 'semicolon'],
  [61, 'equals'],
  [34, 'quote'],
  [92, 'backslash'],
]);

/** One byte further, which is no control byte but HTAB. Undefined for one that may not stand there. */
export function nextInExtension(state: ExtensionState, byte: number): ExtensionState | undefined {
  return NEXT[state][SPECIAL.get(byte) ?? (isTokenCode[byte] === 1 ? 'token' : 'other')];
}

/** Whether the line may end here. */
export function isWholeExtension(state: ExtensionState): boolean {
  return state === 'name' || state === 'value' || state === 'valueEnd';
}
