import { CONNECTION, FieldLines, namedFields, tokens } from './field-lines';

/** What `Connection` says. */
export interface ConnectionOptions {
  readonly keepAlive: boolean;
  readonly close: boolean;
  readonly upgrade: boolean;
  /** Other fields that it names, which go no further. */
  readonly named: ReadonlySet<string> | undefined;
}

const NONE: ConnectionOptions = { keepAlive: false, close: false, upgrade: false, named: undefined };
const KEEP_ALIVE: ConnectionOptions = { ...NONE, keepAlive: true };

export function connectionOptions(lines: FieldLines): ConnectionOptions {
  const value = lines.known(CONNECTION);
  if (value === undefined) return NONE;
  if (value === 'keep-alive') return KEEP_ALIVE;
  const options = tokens(value);
  return {
    keepAlive: options.includes('keep-alive'),
    close: options.includes('close'),
    upgrade: options.includes('upgrade'),
    named: namedFields(options),
  };
}
