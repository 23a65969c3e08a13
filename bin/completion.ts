import { Argument, Command, Option } from 'commander';

export const SHELLS = ['bash', 'zsh', 'fish'] as const;
export type Shell = (typeof SHELLS)[number];

export interface CompletionOption {
  readonly flag: string;
  readonly description: string;
  readonly values?: readonly string[];
}

/** An option whose values are too many for the help, and are completed all the same. */
export class CompletedOption extends Option {
  constructor(
    flags: string,
    description: string,
    readonly completions: readonly string[],
  ) {
    super(flags, description);
  }
}

/** A command and what may follow it. */
interface Node {
  /** `weights get`; of the program itself it is empty. */
  readonly path: string;
  readonly description: string;
  readonly commands: readonly { readonly name: string; readonly description: string }[];
  readonly options: readonly CompletionOption[];
  /** What its first argument may be. */
  readonly values: readonly string[];
}

/** Adds `completion`, whose script is made from the commands themselves. */
export function addCompletionCommand(
  cli: Command,
  proxyFlags: readonly CompletionOption[],
  done: (exitCode: number) => void,
): void {
  cli
    .command('completion')
    .description('print the completion script of a shell')
    .addArgument(new Argument('<shell>', 'the shell').choices(SHELLS))
    .addHelpText(
      'after',
      `
Load it in the shell's start file:
  bash  source <(drainshift completion bash)
  zsh   source <(drainshift completion zsh)
  fish  drainshift completion fish | source`,
    )
    .action((shell: Shell) => {
      process.stdout.write(completionScript(cli, shell, proxyFlags));
      done(0);
    });
}

/** @returns a script that the shell sources; it calls no program at completion time */
export function completionScript(cli: Command, shell: Shell, proxyFlags: readonly CompletionOption[]): string {
  const nodes = listNodes(cli, '', proxyFlags);
  if (shell === 'fish') return fishScript(nodes);
  const script = bashScript(nodes);
  return shell === 'bash' ? script : `autoload -U +X bashcompinit && bashcompinit\n${script}`;
}

function listNodes(command: Command, path: string, proxyFlags: readonly CompletionOption[]): Node[] {
  const children = command.commands.filter((child) => child.name() !== 'help');
  const own: Node = {
    path,
    description: command.description(),
    commands: children.map((child) => ({ name: child.name(), description: child.description() })),
    options: path === 'proxy' ? proxyFlags : [...command.options.map(readOption), HELP],
    values: command.registeredArguments.flatMap(({ argChoices }) => argChoices ?? []),
  };
  return [own, ...children.flatMap((child) => listNodes(child, `${path} ${child.name()}`.trim(), proxyFlags))];
}

const HELP = { flag: '--help', description: 'display help' };

function readOption(option: Command['options'][number]) {
  const { long, short, description, argChoices } = option;
  const values = option instanceof CompletedOption ? option.completions : argChoices;
  return { flag: long ?? short ?? '', description, ...(values && { values }) };
}

/** For bash and, through its bashcompinit, zsh. What it cannot know, such as a file, is left to the shell. */
function bashScript(nodes: readonly Node[]): string {
  const words = nodes.map(({ path, commands, options, values }) => {
    const all = [...commands.map(({ name }) => name), ...values, ...options.map(({ flag }) => flag)];
    return `    '${path}') words='${all.join(' ')}' ;;`;
  });
  const chosen = nodes.flatMap(({ path, options }) =>
    options.flatMap(({ flag, values }) => (values ? [`    '${path} ${flag}') words='${values.join(' ')}' ;;`] : [])),
  );
  const paths = nodes.filter(({ path }) => path !== '').map(({ path }) => `'${path}'`);
  return `_drainshift() {
  local typed=() current='' previous='' command='' word words='' cut at before='' raw="\${COMP_WORDS[COMP_CWORD]}"
  # Bash breaks NAME@PHASE into three words.
  for word in "\${COMP_WORDS[@]:1:COMP_CWORD}"; do
    at=$((\${#typed[@]} - 1))
    if [ $at -ge 0 ] && { [ "$word" = '@' ] || [ "$before" = '@' ]; }; then typed[at]="\${typed[at]}$word"
    else typed+=("$word"); fi
    before="$word"
  done
  at=$((\${#typed[@]} - 1))
  current="\${typed[at]}"
  [ $at -ge 1 ] && previous="\${typed[at-1]}"
  for word in "\${typed[@]:0:at}"; do
    case "\${command:+$command }$word" in
    ${paths.join('|')}) command="\${command:+$command }$word" ;;
    esac
  done
  case "$command $previous" in
${chosen.join('\n')}
  esac
  if [ -z "$words" ]; then
    case "$command" in
${words.join('\n')}
    esac
  fi
  COMPREPLY=($(compgen -W "$words" -- "$current"))
  # What it then replaces begins with the break.
  [ "$raw" = "$current" ] || cut="\${current%@*}"
  COMPREPLY=("\${COMPREPLY[@]#"$cut"}")
}
complete -o default -F _drainshift drainshift
`;
}

function fishScript(nodes: readonly Node[]): string {
  const quote = (text: string) => `'${text.replaceAll('\\', '\\\\').replaceAll("'", "\\'")}'`;
  const lines = nodes.flatMap(({ path, commands, options, values }) => {
    const children = commands.map(({ name }) => name);
    const seen =
      path === ''
        ? ''
        : path
            .split(' ')
            .map((word) => `__fish_seen_subcommand_from ${word}; and `)
            .join('');
    const none = children.length > 0 ? `not __fish_seen_subcommand_from ${children.join(' ')}` : 'true';
    const condition = quote(`${seen}${none}`);
    return [
      ...commands.map(
        ({ name, description }) => `complete -c drainshift -f -n ${condition} -a ${name} -d ${quote(description)}`,
      ),
      ...(values.length > 0 ? [`complete -c drainshift -f -n ${condition} -a ${quote(values.join(' '))}`] : []),
      ...options.map(({ flag, description, values: choices }) => {
        const chosen = choices ? ` -x -a ${quote(choices.join(' '))}` : '';
        return `complete -c drainshift -n ${condition} -l ${flag.replace(/^-+/, '')}${chosen} -d ${quote(description)}`;
      }),
    ];
  });
  return `${lines.join('\n')}\n`;
}
