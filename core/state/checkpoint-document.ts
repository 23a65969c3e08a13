import { shellWord } from '../text/shell-word';
import { CHECKPOINT_ACTIONS, CheckpointEngineName } from './checkpoint';

/** What a document of Systems Manager is made for. */
export interface CheckpointHosts {
  readonly engine: CheckpointEngineName;
  /** How it is called: `criu`. */
  readonly engineCommand: string;
  /** Where images are. */
  readonly folder: string;
  /** `s3://bucket/prefix`. Absent where both hosts share the folder. */
  readonly images?: string;
  readonly source: CheckpointHost;
  readonly target: CheckpointHost;
}

export interface CheckpointHost {
  /** The file with the id of the process that all others of the application descend from. */
  readonly pidFile: string;
  /** The command that starts a fresh application, which writes the file. */
  readonly start: string;
}

const MAX_SECONDS = 600;

/**
 * A command document of Systems Manager, whose one step runs `host/checkpoint.sh` with the settings of its side. Its parameters hold nothing
 * that a shell would read.
 *
 * @param script the text of `host/checkpoint.sh`
 * @see https://docs.aws.amazon.com/systems-manager/latest/userguide/documents-syntax-data-elements-parameters.html
 */
export function renderCheckpointDocument(hosts: CheckpointHosts, script: string): object {
  const { engine, engineCommand, folder, images = '', source, target } = hosts;
  const text = (description: string, allowedPattern: string) => ({ type: 'String', description, allowedPattern });
  const sideSettings = ({ pidFile, start }: CheckpointHost) =>
    `PID_FILE=${shellWord(pidFile)} START=${shellWord(start)}`;
  return {
    schemaVersion: '2.2',
    description: 'One part of moving the memory of an application to another host',
    parameters: {
      action: { type: 'String', description: 'What to do', allowedValues: [...CHECKPOINT_ACTIONS] },
      side: { type: 'String', description: 'Which of the two hosts this is', allowedValues: ['source', 'target'] },
      copy: { ...text('The name of the copy', '^[A-Za-z0-9_-][A-Za-z0-9_.-]{0,127}$'), default: 'none' },
      behind: {
        type: 'String',
        description: 'Whether it follows the decision',
        allowedValues: ['yes', 'no'],
        default: 'no',
      },
      epoch: { ...text('The epoch of the switch', '^[0-9]{1,15}$'), default: '0' },
      until: { ...text('Seconds since 1970 until which it may begin', '^[0-9]{1,12}$'), default: '0' },
    },
    mainSteps: [
      {
        action: 'aws:runShellScript',
        name: 'checkpoint',
        precondition: { StringEquals: ['platformType', 'Linux'] },
        inputs: {
          timeoutSeconds: `${MAX_SECONDS}`,
          runCommand: [
            '#!/bin/bash',
            "ACTION='{{ action }}' SIDE='{{ side }}' COPY='{{ copy }}' EPOCH='{{ epoch }}' BEHIND='{{ behind }}' UNTIL='{{ until }}'",
            `ENGINE=${shellWord(engine)} ENGINE_COMMAND=${shellWord(engineCommand)} FOLDER=${shellWord(folder)} BUCKET=${shellWord(images)}`,
            `if [ "$SIDE" = source ]; then ${sideSettings(source)}; else ${sideSettings(target)}; fi`,
            ...script.trimEnd().split('\n'),
          ],
        },
      },
    ],
  };
}
