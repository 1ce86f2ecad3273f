// deno-lint-ignore-file no-console -- a command line prints
/**
 * The `holdfast` command: the command lines of the packages under one name.
 *
 * ```sh
 * deno install -g -n holdfast --allow-all jsr:@holdfast/holdfast/cli
 * holdfast watch
 * ```
 *
 * @module
 */
import {
  completionScript,
  readWords,
  type Shell,
  SHELLS,
} from "./src/_cli_completion.ts";
import { COMMANDS, nearest } from "./src/_cli_table.ts";
import { VERSION } from "./src/_version.ts";

const HELP = `Networking that survives the network.

Usage: holdfast <command> [options]; holdfast <command> --help says more.

Commands:
  watch             print each change of the network as it happens
  snapshot          print the network as it is now
  check HOST:PORT   connect, and say what is wrong
  doctor [HOST:PORT]
                    find the root cause, from the interface to the application
  failures          list the known failures
  peer listen|connect ID
                    a stream to another peer, that survives whatever happens
  signal id|sub|pub|peers|brokers
                    an identity, and messages through MQTT brokers
  firewall check|plan|allow|list|revert --port N
                    what a firewall does to a port; opens it, and closes it again
  handoff exec|listen|send|receive|hold
                    sockets for any program, and servers that restart unseen
  tunnel serve|connect|key
                    connections of any TCP program that survive cuts
  completion bash|fish|zsh
                    a script for the completion of this command
  help COMMAND      the same as COMMAND --help

Options:
  --help, -h        this text
  --version         the version

Each has --json: one JSON object a line. The permissions that a command needs
are in its --help.
Exit codes: 0 done, 1 failed, 2 bad usage.`;

/**
 * Runs the command line.
 *
 * @returns The exit code: 0 done, 1 a clear failure, 2 bad usage.
 */
export async function main(args: string[]): Promise<number> {
  const [command, ...rest] = args.map((arg, i) =>
    arg === "-h" && i < 2 ? "--help" : arg
  );
  switch (command) {
    case undefined:
      console.log(HELP);
      return 2;
    case "--help":
      console.log(HELP);
      return 0;
    case "--version":
      console.log(VERSION);
      return 0;
    case "help":
      if (rest[0] === undefined) {
        console.log(HELP);
        return 0;
      }
      return await run(rest[0], ["--help"]);
    case "completion":
      return await complete(rest);
    default:
      return await run(command, rest);
  }
}

async function run(command: string, args: string[]): Promise<number> {
  if (Object.hasOwn(COMMANDS, command)) return await COMMANDS[command]!(args);
  const meant = nearest(command, Object.keys(COMMANDS));
  console.error(
    `Cannot run "${command}": there is no such command${
      meant === undefined ? "" : `, did you mean ${meant}?`
    }: see holdfast --help`,
  );
  return 2;
}

async function complete([shell, ...more]: string[]): Promise<number> {
  if (shell === "--help") {
    console.log(`Usage: holdfast completion ${SHELLS.join("|")}

  bash  eval "$(holdfast completion bash)"     in ~/.bashrc
  fish  holdfast completion fish | source      in ~/.config/fish/config.fish
  zsh   source <(holdfast completion zsh)      in ~/.zshrc, after compinit

Permissions: none.`);
    return 0;
  }
  if (!SHELLS.includes(shell as Shell) || more.length > 0) {
    console.error(
      `Cannot print a completion: name one shell of ${
        SHELLS.join(", ")
      }: see holdfast completion --help`,
    );
    return 2;
  }
  console.log(completionScript(shell as Shell, await readWords(COMMANDS)));
  return 0;
}

if (import.meta.main) Deno.exit(await main(Deno.args));
