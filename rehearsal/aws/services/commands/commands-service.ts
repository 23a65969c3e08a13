import { AwsError } from '../../../errors/aws-error';
import type { CommandDocument, CommandRecord, LocalCommands } from '../../../hosts/local-commands';
import { AwsObject, Operation, Place } from '../../operations/operation';
import { Parameters } from '../../operations/parameters';
import { RpcService } from '../../protocols/rpc';

/** Run Command of Systems Manager, for hosts that this machine stands for. */
export interface HostCommands {
  readonly commands: LocalCommands;
  /** Whether the template has no rights for it: the plan of its app asks for no hosts. */
  readonly isFree: boolean;
}

const FIRST_TIMEOUT = 30;
const LAST_TIMEOUT = 2_592_000;

/**
 * @see https://docs.aws.amazon.com/systems-manager/latest/APIReference/API_SendCommand.html
 * @see https://docs.aws.amazon.com/systems-manager/latest/APIReference/API_GetCommandInvocation.html
 */
export function commandsService({ commands, isFree }: HostCommands, { region, account }: Place): RpcService {
  const resources = (input: Parameters) => [
    `arn:aws:ssm:${region}:${account}:document/${input.text('DocumentName')}`,
    ...input.texts('InstanceIds').map((id) => `arn:aws:ec2:${region}:${account}:instance/${id}`),
  ];
  const operations = new Map<string, Operation>([
    ['SendCommand', { resources, isFree, run: (input) => sendCommand(commands, input) }],
    ['GetCommandInvocation', { isFree, run: (input) => getInvocation(commands, input) }],
  ]);
  return { prefix: 'ssm', target: 'AmazonSSM', version: '1.1', invalidCode: 'ValidationException', operations };
}

function sendCommand(commands: LocalCommands, input: Parameters): AwsObject {
  const documentName = input.text('DocumentName');
  const document = commands.findDocument(documentName);
  if (!document) throw new AwsError('InvalidDocument', `document ${documentName} does not exist in your account`);
  const [instanceId, ...others] = input.texts('InstanceIds');
  if (instanceId === undefined || others.length > 0) throw input.reject('InstanceIds', 'one id', others.length + 1);
  if (!commands.hasInstance(instanceId)) {
    throw new AwsError('InvalidInstanceId', `Instances [[${instanceId}]] not in a valid state for account`);
  }
  input.optionalInteger('TimeoutSeconds', { min: FIRST_TIMEOUT, max: LAST_TIMEOUT });
  const parameters = readParameters(document, input.optionalObject('Parameters'));
  const { id, requestedAt } = commands.send({ documentName, instanceId, parameters });
  return {
    Command: {
      CommandId: id,
      DocumentName: documentName,
      InstanceIds: [instanceId],
      Parameters: Object.fromEntries(Object.entries(parameters).map(([name, value]) => [name, [value]])),
      RequestedDateTime: requestedAt,
      Status: 'Pending',
      StatusDetails: 'Pending',
      TargetCount: 1,
    },
  };
}

function readParameters({ parameters: known }: CommandDocument, given: Parameters | undefined) {
  const unknown = given?.names.find((name) => !Object.hasOwn(known, name));
  if (unknown !== undefined) throw new AwsError('InvalidParameters', `Parameter "${unknown}" is not in the document`);
  const read = Object.entries(known).map(([name, { default: own, allowedPattern, allowedValues }]) => {
    const [value = own] = given?.texts(name) ?? [];
    if (value === undefined) throw new AwsError('InvalidParameters', `Parameter "${name}" must be given`);
    const isAllowed = allowedValues?.includes(value) ?? new RegExp(allowedPattern ?? '').test(value);
    if (!isAllowed) {
      throw new AwsError('InvalidParameters', `Parameter "${name}" with value "${value}" does not match the document`);
    }
    return [name, value];
  });
  return Object.fromEntries(read) as Record<string, string>;
}

function getInvocation(commands: LocalCommands, input: Parameters): AwsObject {
  const record = commands.find(input.text('CommandId'), input.text('InstanceId'));
  if (!record) throw new AwsError('InvocationDoesNotExist', 'The command ID and managed node ID do not match.');
  return describe(record);
}

function describe({ id, instanceId, documentName, status, exitCode, output, errors }: CommandRecord): AwsObject {
  return {
    CommandId: id,
    InstanceId: instanceId,
    DocumentName: documentName,
    PluginName: 'checkpoint',
    ResponseCode: exitCode,
    Status: status,
    StatusDetails: status,
    StandardOutputContent: output,
    StandardErrorContent: errors,
  };
}
