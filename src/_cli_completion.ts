// deno-lint-ignore-file no-console -- a command line prints
/**
 * Completion for shells. What there is to complete is taken from the help of
 * each command, so that it cannot be out of date.
 */
import type { CommandLine } from "./_cli_table.ts";

/** What may follow a command. */
export interface Words {
  readonly commands: readonly string[];
  readonly options: readonly string[];
}

/** The shells that are known. */
export const SHELLS = ["bash", "fish", "zsh"] as const;
export type Shell = (typeof SHELLS)[number];

// Commands of a package whose help tells of several.
const SINGLE = new Set(["check", "doctor", "failures", "snapshot", "watch"]);
const FIRST_WORD = /^ {2}([a-z]+)(?= |$)/gm;

/** What a command says of itself. */
async function helpOf(run: CommandLine): Promise<string> {
  const lines: string[] = [];
  const { log } = console;
  console.log = (text: string) => void lines.push(text);
  try {
    await run(["--help"]);
  } finally {
    console.log = log;
  }
  return lines.join("\n");
}

/** The commands and options that a help text names. */
export function wordsOf(name: string, help: string): Words {
  // What stands under permissions is for Deno.
  const [own = ""] = help.split(/^Permissions/m);
  const options = new Set(own.match(/(?<![\w-])--[a-z][a-z-]*/g) ?? []);
  options.add("--help");
  const named = own.matchAll(
    new RegExp(`^(?:Usage:)? +(?:holdfast )?${name} +([a-z]+)(?= |$)`, "gm"),
  );
  const commands = new Set([...named].map(([, word]) => word!));
  if (commands.size === 0 && !SINGLE.has(name)) {
    const [usage = ""] = own.split(/^Usage:$/m).slice(1);
    for (const [, word] of usage.split("\n\n")[0]!.matchAll(FIRST_WORD)) {
      commands.add(word!);
    }
  }
  return {
    commands: [...commands].sort(),
    options: [...options].filter((one) => !/^--(allow|ignore)-/.test(one))
      .sort(),
  };
}

/** Reads the help of every command. */
export async function readWords(
  table: Readonly<Record<string, CommandLine>>,
): Promise<Map<string, Words>> {
  const words = new Map<string, Words>();
  for (const [name, run] of Object.entries(table)) {
    words.set(name, wordsOf(name, await helpOf(run)));
  }
  return words;
}

/** The script that a shell is to read. */
export function completionScript(
  shell: Shell,
  words: ReadonlyMap<string, Words>,
): string {
  return { bash: bashScript, fish: fishScript, zsh: zshScript }[shell](words);
}

function bashScript(words: ReadonlyMap<string, Words>): string {
  const cases = [...words].map(([name, { commands, options }]) =>
    `    ${name}) words='${[...commands, ...options].join(" ")}' ;;`
  );
  return `# Completion of holdfast for bash: eval "$(holdfast completion bash)"
_holdfast() {
  local word=\${COMP_WORDS[COMP_CWORD]} words=
  if ((COMP_CWORD == 1)); then
    words='${topWords(words).join(" ")}'
  else case \${COMP_WORDS[1]} in
${cases.join("\n")}
  esac; fi
  COMPREPLY=($(compgen -W "$words" -- "$word"))
  # A word of the program's own, or else a file.
  ((\${#COMPREPLY[@]})) || COMPREPLY=($(compgen -f -- "$word"))
}
complete -F _holdfast holdfast`;
}

function zshScript(words: ReadonlyMap<string, Words>): string {
  const cases = [...words].map(([name, { commands, options }]) =>
    `    ${name}) compadd -- ${[...commands, ...options].join(" ")} ;;`
  );
  return `#compdef holdfast
# Completion of holdfast for zsh: source <(holdfast completion zsh)
_holdfast() {
  if ((CURRENT == 2)); then
    compadd -- ${topWords(words).join(" ")}
    return
  fi
  case $words[2] in
${cases.join("\n")}
  esac
  _files
}
compdef _holdfast holdfast`;
}

function fishScript(words: ReadonlyMap<string, Words>): string {
  const lines = topWords(words).map((name) =>
    name.startsWith("--")
      ? `complete -c holdfast -n __fish_use_subcommand -l ${name.slice(2)}`
      : `complete -c holdfast -n __fish_use_subcommand -f -a ${name}`
  );
  for (const [name, { commands, options }] of words) {
    const seen = `-n '__fish_seen_subcommand_from ${name}'`;
    for (const command of commands) {
      lines.push(`complete -c holdfast ${seen} -a ${command}`);
    }
    for (const option of options) {
      lines.push(`complete -c holdfast ${seen} -l ${option.slice(2)}`);
    }
  }
  return `# Completion of holdfast for fish: holdfast completion fish | source
${lines.join("\n")}`;
}

function topWords(words: ReadonlyMap<string, Words>): string[] {
  return [...words.keys(), "completion", "help", "--help", "--version"];
}
