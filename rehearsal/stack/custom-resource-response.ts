/** What a response must repeat of its event. */
export interface Asked {
  readonly StackId: string;
  readonly RequestId: string;
  readonly LogicalResourceId: string;
}

/** What the function behind a custom resource said. */
export interface CustomResourceResponse {
  readonly isSuccess: boolean;
  readonly reason: string;
  readonly physicalId: string;
  /** For `Fn::GetAtt`; a member of a structure by its path with dots. */
  readonly attributes: Readonly<Record<string, string>>;
}

const MAX_BYTES = 4096;
const MAX_ID_BYTES = 1024;

/**
 * Reads a response as strictly as CloudFormation does.
 *
 * @see https://docs.aws.amazon.com/AWSCloudFormation/latest/UserGuide/crpg-ref-responses.html
 * @throws Error with the rule that the response breaks
 */
export function readResponse(body: string, asked: Asked): CustomResourceResponse {
  const size = Buffer.byteLength(body);
  if (size > MAX_BYTES) throw new Error(`the response must have at most ${MAX_BYTES} bytes, got ${size}`);
  const response = parsed(body);
  for (const name of ['StackId', 'RequestId', 'LogicalResourceId'] as const) {
    if (response[name] !== asked[name]) throw broken(name, `that of the event, '${asked[name]}'`, response[name]);
  }
  const { PhysicalResourceId: id, Data = {} } = response;
  if (typeof id !== 'string' || id === '' || Buffer.byteLength(id) > MAX_ID_BYTES) {
    throw broken('PhysicalResourceId', `a string of 1 to ${MAX_ID_BYTES} bytes`, id);
  }
  if (typeof Data !== 'object' || Data === null || Array.isArray(Data)) throw broken('Data', 'an object', Data);
  const attributes = Object.fromEntries(flattened(Data as Record<string, unknown>));
  return { ...readStatus(response), physicalId: id, attributes };
}

function readStatus({ Status, Reason }: Record<string, unknown>): Pick<CustomResourceResponse, 'isSuccess' | 'reason'> {
  if (Status !== 'SUCCESS' && Status !== 'FAILED') throw broken('Status', 'SUCCESS or FAILED', Status);
  const reason = typeof Reason === 'string' ? Reason : '';
  if (Status === 'FAILED' && reason === '') throw broken('Reason', 'given with FAILED', Reason);
  return { isSuccess: Status === 'SUCCESS', reason };
}

function parsed(body: string): Record<string, unknown> {
  try {
    const value = JSON.parse(body) as unknown;
    if (typeof value === 'object' && value !== null && !Array.isArray(value)) return value as Record<string, unknown>;
  } catch {
    // The same response as for JSON that is no object.
  }
  throw new Error(`the response must be a JSON object, got '${body.slice(0, 100)}'`);
}

function broken(name: string, rule: string, value: unknown): Error {
  return new Error(
    `'${name}' of the response must be ${rule}, got ${JSON.stringify(value)?.slice(0, 100) ?? 'nothing'}`,
  );
}

function flattened(data: Readonly<Record<string, unknown>>, prefix = ''): [string, string][] {
  return Object.entries(data).flatMap(([key, value]): [string, string][] => {
    if (typeof value !== 'object' || value === null) return [[`${prefix}${key}`, String(value)]];
    return flattened(value as Record<string, unknown>, `${prefix}${key}.`);
  });
}
