// deno-lint-ignore-file no-console -- a command line prints
/**
 * The command line of `@holdfast/resume`: tunnels whose connections survive
 * cuts, for programs that know nothing of it.
 *
 * ```sh
 * deno run -A jsr:@holdfast/resume/cli serve --listen 127.0.0.1:7000 --to 127.0.0.1:22
 * deno run -A jsr:@holdfast/resume/cli connect --listen 127.0.0.1:2222 --to 127.0.0.1:7000
 * ```
 *
 * @module
 */
import { parseArgs } from "node:util";
import {
  connect,
  serve,
  type TunnelCommandOptions,
  UsageError,
} from "./_cli_ends.ts";
import { CommandError } from "./_cli_listen.ts";
import { newKeyLine } from "./_key_file.ts";
import { ResumeError } from "./errors.ts";

export type { TunnelCommandOptions } from "./_cli_ends.ts";

const HELP = `A tunnel whose connections survive cuts, for any TCP program.

Usage:
  tunnel serve --listen ADDR --to ADDR [--to ADDR …] [options]
  tunnel connect --listen ADDR --to ADDR [options]
  tunnel key [NAME]

  serve     at the far end: connects to the program's server
  connect   at the near end: the program connects to it
  key       prints a new line for a file of keys

ADDR is host:port, [IPv6]:port or unix:/path.

Options of both:
  --keys FILE       keys that both ends know, one "NAME HEX" a line; connect
                    uses the first, serve takes any
  --json            one JSON object a line: the very events
  --pid-file FILE   tells the process, also after a restart

Options of serve:
  --to ADDR         where connections may lead; the first is used by default
  --cert FILE --cert-key FILE
                    TLS, with a certificate and its key as PEM
  --ttl SECONDS     how long a cut connection is waited for (default 120)
  --open            listen beyond this machine without keys

Options of connect:
  --to ADDR         where serve listens
  --target ADDR     another one of the server's --to than the first
  --tls             TLS; --ca FILE trusts an authority of your own

SIGTERM or Ctrl-C: connect takes no new connections and ends with the last; a
second one ends at once. serve ends at once.
SIGHUP (Linux, and not at a terminal): starts the same command anew, which takes
all connections over; no program notices.

Permissions: --allow-net, or exactly the hosts named; --allow-read for --keys,
--cert, --cert-key, --ca and Unix sockets, --allow-write for Unix sockets and
--pid-file. For SIGHUP: --allow-run, --allow-env, --allow-read, --allow-write,
and --allow-net for 127.0.0.1.
Exit code: 0 done, 1 failed, 2 bad usage.`;

/** Runs the command; resolves with the exit code. */
export async function main(
  args: string[],
  options: TunnelCommandOptions = {},
): Promise<number> {
  try {
    const { values, positionals } = parse(args);
    if (values.help) {
      console.log(HELP);
      return 0;
    }
    const [command, ...rest] = positionals;
    if (command === "key") return printKey(rest);
    if (rest.length > 0) throw new UsageError(`Cannot use "${rest[0]}"`);
    if (command === "serve") return await serve(values);
    if (command === "connect") return await connect(values, options);
    throw new UsageError(
      command === undefined
        ? "Cannot run: no command: use serve, connect or key"
        : `Cannot run "${command}": no such command: use serve, connect or key`,
    );
  } catch (error) {
    const failed = error instanceof CommandError ||
      error instanceof ResumeError;
    const usage = error instanceof UsageError || error instanceof TypeError ||
      error instanceof RangeError;
    const [line] = (error as Error).message.split("\n");
    console.error(usage ? `${line}: see --help` : line);
    if (!failed && !usage) return 1;
    return usage ? 2 : 1;
  }
}

function parse(args: string[]) {
  const text = { type: "string" } as const;
  const flag = { type: "boolean", default: false } as const;
  return parseArgs({
    args,
    allowPositionals: true,
    options: {
      ...{ listen: text, keys: text, cert: text, "cert-key": text, ca: text },
      ...{ ttl: text, target: text, to: { type: "string", multiple: true } },
      ...{ json: flag, open: flag, tls: flag },
      ...{ "pid-file": text, successor: text },
      help: { type: "boolean", short: "h", default: false },
    },
  });
}

function printKey([name = "tunnel", ...rest]: string[]): number {
  if (rest.length > 0 || !/^[^\s#]+$/.test(name)) {
    throw new UsageError("Cannot make a key: give one name without blanks");
  }
  console.log(newKeyLine(name));
  return 0;
}

if (import.meta.main) Deno.exit(await main(Deno.args));
