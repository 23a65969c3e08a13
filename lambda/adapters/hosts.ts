import type { HostsPort } from '../contract/host-ports';
import { JsonService, callJson } from './client/json-call';

const SYSTEMS_MANAGER: JsonService = {
  name: 'Systems Manager',
  prefix: 'ssm',
  target: 'AmazonSSM',
  endpointVariable: 'AWS_ENDPOINT_URL_SSM',
};
/** For the delivery to the agent: the shortest that it takes. */
const DELIVERY_SECONDS = 30;
const UNDER_WAY: readonly string[] = ['Pending', 'InProgress', 'Delayed', 'Cancelling'];
/** Of a command that was sent right before. */
const NOT_YET = 'InvocationDoesNotExist';

interface Sent {
  readonly Command?: { readonly CommandId?: string };
}

interface Invocation {
  readonly Status?: string;
  readonly StatusDetails?: string;
  readonly StandardOutputContent?: string;
}

/**
 * By Run Command of Systems Manager: no port of a host is open for it.
 *
 * @see https://docs.aws.amazon.com/systems-manager/latest/APIReference/API_SendCommand.html
 * @see https://docs.aws.amazon.com/systems-manager/latest/APIReference/API_GetCommandInvocation.html
 */
export function hostsPort(): HostsPort {
  return {
    send: async ({ documentName, instanceId, side, action, copy, epoch, isBehind, untilMs }, limitMs) => {
      const until = `${Math.floor(untilMs / 1000)}`;
      const behind = isBehind ? 'yes' : 'no';
      const input = {
        DocumentName: documentName,
        InstanceIds: [instanceId],
        TimeoutSeconds: DELIVERY_SECONDS,
        Parameters: {
          action: [action],
          side: [side],
          copy: [copy],
          epoch: [`${epoch}`],
          behind: [behind],
          until: [until],
        },
      };
      const { Command } = (await callJson(SYSTEMS_MANAGER, 'SendCommand', input, limitMs)) as Sent;
      if (Command?.CommandId === undefined) throw new Error('Systems Manager must respond with a command, got none');
      return Command.CommandId;
    },
    read: async ({ instanceId }, id, limitMs) => {
      const found = await readInvocation({ CommandId: id, InstanceId: instanceId }, limitMs);
      const {
        Status = '',
        StatusDetails = Status,
        StandardOutputContent: output = '',
      } = found ?? { Status: 'Pending' };
      if (UNDER_WAY.includes(Status)) return undefined;
      // A script that failed has printed why.
      if (output.trim() === '' && Status !== 'Success') {
        throw new Error(`the command must run on ${instanceId}, got ${StatusDetails}: is its agent online?`);
      }
      return output;
    },
  };
}

async function readInvocation(input: object, limitMs: number): Promise<Invocation | undefined> {
  try {
    return (await callJson(SYSTEMS_MANAGER, 'GetCommandInvocation', input, limitMs)) as Invocation;
  } catch (error) {
    if (error instanceof Error && error.message.includes(NOT_YET)) return undefined;
    throw error;
  }
}
