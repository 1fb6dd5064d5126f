/**
 * `flint completion`: a script that completes subcommands and options in a shell, out of the tables that --help is made of.
 */
import { UsageError, type OptionDefinition } from '../../server/index.ts';
import type { Subcommand } from '../command-line/subcommand.ts';
import { EXIT } from '../programs/exit-codes.ts';

const SHELLS = ['bash', 'zsh', 'fish'] as const;
type Shell = (typeof SHELLS)[number];

/** @param loadAll all subcommands, this one too. */
export function completion(loadAll: () => Promise<readonly Subcommand[]>): Subcommand {
  return {
    name: 'completion',
    summary: 'Prints a script that completes flint in a shell.',
    positionals: ['bash|zsh|fish'],
    description: `Prints a script for bash, zsh or fish that completes subcommands, options, and values that are one of a few.

Examples:
  flint completion bash > /etc/bash_completion.d/flint
  flint completion zsh > "\${fpath[1]}/_flint"
  flint completion fish > ~/.config/fish/completions/flint.fish`,
    options: [
      { flag: 'help', short: 'h', type: 'switch', group: 'Completion', help: 'Shows this text.' },
    ],
    async run(_given, [shell]) {
      const known = SHELLS.find((each) => each === shell);
      if (known === undefined)
        throw new UsageError(`there is a script for ${SHELLS.join(', ')}, not for '${shell}'.`);
      process.stdout.write(scriptFor(known, await loadAll()));
      return EXIT.clean;
    },
  };
}

export function scriptFor(shell: Shell, subcommands: readonly Subcommand[]): string {
  switch (shell) {
    case 'bash':
      return bashScript(subcommands);
    case 'zsh':
      return zshScript(subcommands);
    case 'fish':
      return fishScript(subcommands);
  }
}

function shown({ options }: Subcommand): readonly OptionDefinition[] {
  return options.filter((option) => option.refused === undefined && option.fileOnly !== true);
}

/** Values of an option, if its help says that they are one of a few: `json|csv`. */
function choicesOf({ value = '' }: OptionDefinition): readonly string[] {
  return /^[a-zA-Z]+(\|[a-zA-Z]+)+$/.test(value) ? value.split('|') : [];
}

function bashScript(subcommands: readonly Subcommand[]): string {
  const names = subcommands.map(({ name }) => name).join(' ');
  const cases = subcommands.map((subcommand) => {
    const flags = shown(subcommand)
      .map(({ flag }) => `--${flag}`)
      .join(' ');
    return `    ${subcommand.name}) words="${flags}" ;;`;
  });
  const values = subcommands.flatMap((subcommand) =>
    shown(subcommand)
      .filter((option) => choicesOf(option).length > 0)
      .map(
        (option) =>
          `    "${subcommand.name} --${option.flag}") words="${choicesOf(option).join(' ')}" ;;`,
      ),
  );
  return `# bash completion of flint
_flint() {
  local current="\${COMP_WORDS[COMP_CWORD]}" previous="\${COMP_WORDS[COMP_CWORD-1]}" words=""
  if [ "$COMP_CWORD" -eq 1 ]; then
    COMPREPLY=($(compgen -W "${names} --help --version" -- "$current"))
    return
  fi
  case "\${COMP_WORDS[1]} $previous" in
${values.join('\n')}
  esac
  if [ -z "$words" ] && [[ "$current" == -* ]]; then
    case "\${COMP_WORDS[1]}" in
${cases.map((line) => `  ${line}`).join('\n')}
    esac
  fi
  if [ -n "$words" ]; then COMPREPLY=($(compgen -W "$words" -- "$current")); fi
}
complete -o default -F _flint flint flintdb
`;
}

function zshScript(subcommands: readonly Subcommand[]): string {
  const names = subcommands.map(({ name, summary }) => `    ${quoted(`${name}:${summary}`)}`);
  const cases = subcommands.map((subcommand) => {
    const specs = shown(subcommand).map((option) => `      ${quoted(zshSpec(option))}`);
    return `    ${subcommand.name}) _arguments ${["'*:file:_files'", ...specs].join(' \\\n')} ;;`;
  });
  return `#compdef flint flintdb
_flint() {
  local -a subcommands
  subcommands=(
${names.join('\n')}
  )
  if (( CURRENT == 2 )); then
    _describe 'subcommand' subcommands
    return
  fi
  local subcommand="\${words[2]}"
  shift words
  (( CURRENT-- ))
  case "$subcommand" in
${cases.join('\n')}
  esac
}
if [ "$funcstack[1]" = _flint ]; then _flint "$@"; else compdef _flint flint flintdb; fi
`;
}

function zshSpec(option: OptionDefinition): string {
  const help = option.help.replace(/[[\]:\\]/g, '\\$&');
  const choices = choicesOf(option);
  const values = choices.length === 0 ? '_files' : `(${choices.join(' ')})`;
  return `--${option.flag}[${help}]${option.type === 'switch' ? '' : `:value:${values}`}`;
}

function fishScript(subcommands: readonly Subcommand[]): string {
  const lines = subcommands.flatMap((subcommand) => {
    const { name, summary } = subcommand;
    const options = shown(subcommand).map((option) => {
      const choices = choicesOf(option);
      const values = choices.length === 0 ? '' : ` -f -a ${quoted(choices.join(' '))}`;
      const takes = option.type === 'switch' ? '' : ' -r';
      const short = option.short === undefined ? '' : ` -s ${option.short}`;
      return `complete -c flint -n '__fish_seen_subcommand_from ${name}' -l ${option.flag}${short}${takes}${values} -d ${quoted(option.help)}`;
    });
    return [
      `complete -c flint -n __fish_use_subcommand -f -a ${name} -d ${quoted(summary)}`,
      ...options,
    ];
  });
  return `# fish completion of flint\n${lines.join('\n')}\ncomplete -c flintdb -w flint\n`;
}

/** For a shell: in single quotes, those of the text ended and begun again. */
function quoted(text: string): string {
  return `'${text.replaceAll("'", "'\\''")}'`;
}
