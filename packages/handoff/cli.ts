// deno-lint-ignore-file no-console -- a command line writes lines.
/**
 * The command line of handoff: opens sockets, and gives them to any program.
 *
 * ```sh
 * deno run --allow-net --allow-run --allow-env jsr:@holdfast/handoff/cli \
 *   exec --listen 0.0.0.0:8080 -- gunicorn app:app
 * ```
 *
 * @module
 */
import { act } from "./_cli_actions.ts";
import { parseCommand, UsageError } from "./_cli_args.ts";

const HELP = `Opens sockets, and gives them to any program.

Usage:
  handoff exec --listen [NAME=]HOST:PORT [--listen …] -- COMMAND [ARGS…]
      opens listeners, waits for the network, and runs a program with them
      (LISTEN_FDS; --protocol nginx, einhorn or inetd for others)
  handoff listen --listen [NAME=]HOST:PORT --to PATH
      opens listeners and gives them to the receiver at PATH
  handoff send --connect HOST:PORT --to PATH
      opens a connection and gives it to the receiver at PATH
  handoff receive --at PATH [--count N] [-- COMMAND [ARGS…]]
      receives sockets, prints one JSON object for each, and runs COMMAND on
      it: a connection is its standard input and output, a listener descriptor 3
  handoff hold --listen [NAME=]HOST:PORT [--at PATH] [-- COMMAND [ARGS…]]
      keeps listeners open; starts COMMAND with them (LISTEN_FDS), again
      whenever it ends, and gives them to who asks at PATH: no client is
      refused while the program is killed and comes back

  --wait SECONDS     how long an address may be missing (60)
  --token-file FILE  what the other side has to know too
  --json             one JSON object a line; a program's own output goes to
                     standard error
  --help             this text

Exit code: that of the program in exec (128 when a signal ended it); 0 done; 1
failed, with one sentence; 2 bad usage.

Permissions: --allow-net (or --allow-net=HOST:PORT), --allow-run (or
--allow-run=/bin/sh; then the exit code of a program that handles a passed
signal is not seen), --allow-env (the program inherits the environment). Paths
(--to, --at) need --allow-ffi and --allow-read and --allow-write of the path's
folder, which only you may enter. Platforms: Linux, and macOS (not tested).`;

const USAGE = 2;
const FAILURE = 1;

/** Runs the command line; resolves with the exit code. */
export async function main(args: string[]): Promise<number> {
  try {
    const command = parseCommand(args);
    if (command === undefined) {
      console.log(HELP);
      return 0;
    }
    return await act(command);
  } catch (error) {
    const text = error instanceof Error ? error.message : String(error);
    console.error(`handoff: ${text}`);
    return error instanceof UsageError ? USAGE : FAILURE;
  }
}

if (import.meta.main) Deno.exit(await main(Deno.args));
