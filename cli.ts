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

const HELP = `Networking that survives the network.

Usage: holdfast <command> [options]; holdfast <command> --help says more.

Commands:
  watch             print each change of the network as it happens
  snapshot          print the network as it is now
  check HOST:PORT   connect, and say what is wrong
  doctor [HOST:PORT]
                    find the root cause, from the interface to the application
  failures          list the known failures
  signal id|sub|pub an identity, and messages through MQTT brokers
  firewall check|plan PORT
                    what a firewall does to a port, and what would open it
  handoff exec|listen|send|receive|hold
                    sockets for any program, and servers that restart unseen
  tunnel serve|connect|key
                    connections of any TCP program that survive cuts

Each has --json: one JSON object a line. The permissions that a command needs
are in its --help.
Exit codes: 0 done, 1 failed, 2 bad usage.`;

/** The command line of a package: gives the exit code. */
interface CommandLine {
  main(args: string[]): Promise<number>;
}

// Loaded when asked for, so that no command pays for the others.
const COMMANDS: Readonly<
  Record<string, (args: string[]) => Promise<number>>
> = {
  check: (args) => run(import("@holdfast/recovery/cli"), ["check", ...args]),
  doctor: (args) => run(import("@holdfast/recovery/cli"), ["doctor", ...args]),
  failures: (args) =>
    run(import("@holdfast/recovery/cli"), ["failures", ...args]),
  firewall: (args) => run(import("@holdfast/firewall/cli"), args),
  handoff: (args) => run(import("@holdfast/handoff/cli"), args),
  signal: (args) => run(import("@holdfast/signal/cli"), args),
  snapshot: (args) =>
    run(import("@holdfast/netwatch/cli"), ["snapshot", ...args]),
  tunnel: async (args) =>
    (await import("@holdfast/resume/cli")).main(args, { network: networkNews }),
  watch: (args) => run(import("@holdfast/netwatch/cli"), ["watch", ...args]),
};

/** What netwatch sees, for a tunnel; nothing where it may not look. */
async function networkNews() {
  try {
    const { watchNetwork } = await import("@holdfast/netwatch");
    return await watchNetwork();
  } catch {
    return undefined; // Without it a cut is found all the same, if later.
  }
}

async function run(
  commandLine: Promise<CommandLine>,
  args: string[],
): Promise<number> {
  return await (await commandLine).main(args);
}

/**
 * Runs the command line.
 *
 * @returns The exit code: 0 done, 1 a clear failure, 2 bad usage.
 */
export async function main(args: string[]): Promise<number> {
  const [command, ...rest] = args;
  if (command === undefined || command === "--help" || command === "help") {
    console.log(HELP);
    return command === undefined ? 2 : 0;
  }
  if (!Object.hasOwn(COMMANDS, command)) {
    console.error(
      `Cannot run "${command}": there is no such command: see holdfast --help`,
    );
    return 2;
  }
  return await COMMANDS[command]!(rest);
}

if (import.meta.main) Deno.exit(await main(Deno.args));
