import { spawn } from 'node:child_process';
import { randomUUID } from 'node:crypto';

/** A document of Systems Manager, as far as it is run here. */
export interface CommandDocument {
  readonly parameters: Readonly<Record<string, DocumentParameter>>;
  readonly mainSteps: readonly { readonly inputs: { readonly runCommand: readonly string[] } }[];
}

interface DocumentParameter {
  readonly allowedPattern?: string;
  readonly allowedValues?: readonly string[];
  readonly default?: string;
}

/** What was asked of one host. */
export interface CommandOrder {
  readonly documentName: string;
  readonly instanceId: string;
  readonly parameters: Readonly<Record<string, string>>;
}

export interface CommandRecord extends CommandOrder {
  readonly id: string;
  readonly requestedAt: Date;
  readonly status: 'InProgress' | 'Success' | 'Failed';
  readonly exitCode: number;
  readonly output: string;
  readonly errors: string;
}

const MAX_OUTPUT = 24_000;

/** Runs the commands of a document on this machine, which stands for each host. */
export class LocalCommands {
  private readonly records = new Map<string, CommandRecord>();
  private readonly running = new Set<Promise<void>>();

  /**
   * @param documents by name
   * @param instanceIds of the hosts
   */
  constructor(
    private readonly documents: ReadonlyMap<string, CommandDocument>,
    private readonly instanceIds: readonly string[],
  ) {}

  findDocument(name: string): CommandDocument | undefined {
    return this.documents.get(name);
  }

  hasInstance(id: string): boolean {
    return this.instanceIds.includes(id);
  }

  find(id: string, instanceId: string): CommandRecord | undefined {
    const record = this.records.get(id);
    return record?.instanceId === instanceId ? record : undefined;
  }

  /** Whose document and instance are there. */
  send(order: CommandOrder): CommandRecord {
    const record: CommandRecord = {
      ...order,
      id: randomUUID(),
      requestedAt: new Date(),
      ...({ status: 'InProgress', exitCode: -1, output: '', errors: '' } as const),
    };
    this.records.set(record.id, record);
    const run = this.run(record).finally(() => this.running.delete(run));
    this.running.add(run);
    return record;
  }

  /** Once those that are under way have ended. */
  async stop(): Promise<void> {
    await Promise.all(this.running);
  }

  private run(record: CommandRecord): Promise<void> {
    const { documentName, parameters } = record;
    const lines = this.documents.get(documentName)!.mainSteps.flatMap(({ inputs }) => inputs.runCommand);
    const script = lines.join('\n').replace(/\{\{ *(\w+) *\}\}/g, (_, name: string) => parameters[name] ?? '');
    // From a pipe it would be read byte by byte.
    const child = spawn('bash', ['-c', script], { stdio: ['ignore', 'pipe', 'pipe'] });
    let [output, errors] = ['', ''];
    child.stdout.setEncoding('utf8').on('data', (text: string) => (output = (output + text).slice(0, MAX_OUTPUT)));
    child.stderr.setEncoding('utf8').on('data', (text: string) => (errors = (errors + text).slice(0, MAX_OUTPUT)));
    return new Promise((resolve) => {
      const end = (exitCode: number, problem = errors) => {
        const status = exitCode === 0 ? 'Success' : 'Failed';
        this.records.set(record.id, { ...record, status, exitCode, output, errors: problem });
        resolve();
      };
      child.once('error', ({ message }) => end(127, message));
      // As the agent does, it waits for whatever holds its output open.
      child.once('close', (code) => end(code ?? 1));
    });
  }
}
