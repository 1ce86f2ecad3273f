// deno-lint-ignore-file no-console -- a command line writes lines.
/**
 * The command line of handoff: opens listening sockets and runs any program
 * with them, as systemd's socket activation does.
 *
 * ```sh
 * deno run --allow-net --allow-run --allow-env jsr:@holdfast/handoff/cli \
 *   run --listen web=0.0.0.0:8080 -- gunicorn app:app
 * ```
 *
 * @module
 */
import { parseArgs } from "node:util";
import {
  listen,
  type PassableListener,
  type SpawnedProcess,
  spawnWithSockets,
} from "./mod.ts";

const HELP = `Opens listening sockets and runs a program with them (LISTEN_FDS).

Usage: handoff run --listen NAME=HOST:PORT [--listen …] [--json] -- COMMAND [ARGS…]

  --listen NAME=HOST:PORT  a socket to open; NAME=PORT listens on 127.0.0.1
  --json                   one JSON object a line; the program's own output
                           goes to standard error
  --help                   this text

The program finds the sockets from descriptor 3 on: sd_listen_fds(3).
Exit code: that of the program (128 when a signal ended it); 1 when it cannot
be started; 2 for bad usage.

Permissions: --allow-net (or --allow-net=HOST:PORT), --allow-run (or
--allow-run=/bin/sh; then the exit code of a program that handles a passed
signal is not seen), --allow-env (the program inherits the environment).
Platforms: Linux and macOS.`;

const USAGE = 2;
const FAILURE = 1;
/** As shells do, more or less: the number of the signal is not at hand. */
const KILLED = 128;

/** One `--listen`. */
interface Address {
  readonly name: string;
  readonly hostname: string;
  readonly port: number;
}

interface Run {
  readonly addresses: readonly Address[];
  readonly command: string;
  readonly args: readonly string[];
  readonly json: boolean;
}

/** What the command line says is wrong with its arguments. */
class UsageError extends Error {}

/** Runs the command line; resolves with the exit code. */
export async function main(args: string[]): Promise<number> {
  try {
    const run = parseRun(args);
    if (run === undefined) {
      console.log(HELP);
      return 0;
    }
    return await runProgram(run);
  } catch (error) {
    const text = error instanceof Error ? error.message : String(error);
    console.error(`handoff: ${text}`);
    return error instanceof UsageError ? USAGE : FAILURE;
  }
}

function parseRun(args: string[]): Run | undefined {
  const { values, positionals } = parse(args);
  if (values.help) return undefined;
  const [action, command, ...rest] = positionals;
  if (action !== "run") {
    throw new UsageError(
      `Cannot do ${
        JSON.stringify(action ?? "nothing")
      }: the only command is "run": see --help`,
    );
  }
  if (command === undefined) {
    throw new UsageError(
      'Cannot run a program: none is given: write it behind "--"',
    );
  }
  const addresses = (values.listen ?? []).map(parseAddress);
  if (addresses.length === 0) {
    throw new UsageError(
      "Cannot run a program: no socket is given: add --listen NAME=HOST:PORT",
    );
  }
  const names = addresses.map(({ name }) => name);
  const twice = names.find((name, index) => names.indexOf(name) < index);
  if (twice !== undefined) {
    throw new UsageError(
      `Cannot listen: the name "${twice}" is given twice: choose another one`,
    );
  }
  return { addresses, command, args: rest, json: values.json ?? false };
}

function parse(args: string[]) {
  try {
    return parseArgs({
      args,
      allowPositionals: true,
      options: {
        listen: { type: "string", multiple: true },
        json: { type: "boolean" },
        help: { type: "boolean", short: "h" },
      },
    });
  } catch (error) {
    const first = (error as Error).message.split(/[.\n]/)[0];
    throw new UsageError(`Cannot read the arguments: ${first}: see --help`);
  }
}

function parseAddress(text: string): Address {
  const match = /^([^=:]+)=(?:(\[[^\]]+\]|[^:[\]]+):)?([0-9]{1,5})$/.exec(text);
  const [, name, host = "127.0.0.1", port] = match ?? [];
  if (name === undefined || Number(port) > 65_535) {
    throw new UsageError(
      `Cannot listen on ${
        JSON.stringify(text)
      }: it is not NAME=HOST:PORT: write for example web=0.0.0.0:8080`,
    );
  }
  const hostname = host.replace(/^\[|\]$/g, "");
  return { name, hostname, port: Number(port) };
}

async function runProgram(run: Run): Promise<number> {
  const say = (event: Record<string, unknown>): void => {
    if (run.json) console.log(JSON.stringify(event));
  };
  const sockets: Record<string, PassableListener> = {};
  using stack = new DisposableStack();
  for (const address of run.addresses) {
    const listener = stack.use(await openSocket(address));
    sockets[address.name] = listener;
    const { hostname, port } = listener.addr;
    say({ type: "listening", name: address.name, hostname, port });
  }
  // Before the program starts: a signal in between is meant for it too.
  using signals = new Signals();
  const child = await spawnWithSockets(run.command, sockets, {
    args: run.args,
    stdin: "inherit",
    stdout: run.json ? "piped" : "inherit",
  });
  // The program is the only owner from now on: when it ends, so do they.
  stack.dispose();
  signals.sendTo(child);
  say({ type: "started", pid: child.pid });
  await child.stdout?.pipeTo(Deno.stderr.writable, { preventClose: true });
  const { code, signal } = await child.status;
  say({ type: "exited", code, signal });
  return code ?? KILLED;
}

async function openSocket(address: Address): Promise<PassableListener> {
  const { name, hostname, port } = address;
  try {
    return await listen({ hostname, port });
  } catch (error) {
    throw new Error(
      `Cannot listen on ${name}=${hostname}:${port}: ${
        (error as Error).message
      }: choose an address of this machine and a port that is free`,
      { cause: error },
    );
  }
}

/** Takes the signals that are meant for the program. */
class Signals implements Disposable {
  readonly #stack = new DisposableStack();
  readonly #early: Deno.Signal[] = [];
  #child: SpawnedProcess | undefined;

  constructor() {
    for (const signal of ["SIGINT", "SIGTERM", "SIGHUP"] as const) {
      const take = (): void => this.#take(signal);
      Deno.addSignalListener(signal, take);
      this.#stack.defer(() => Deno.removeSignalListener(signal, take));
    }
  }

  /** Passes them on, also those that came before. */
  sendTo(child: SpawnedProcess): void {
    this.#child = child;
    for (const signal of this.#early.splice(0)) child.kill(signal);
  }

  #take(signal: Deno.Signal): void {
    // A terminal sends Ctrl-C to both processes by itself.
    if (signal === "SIGINT" && Deno.stdin.isTerminal()) return;
    if (this.#child === undefined) this.#early.push(signal);
    else this.#child.kill(signal);
  }

  [Symbol.dispose](): void {
    this.#stack.dispose();
  }
}

if (import.meta.main) Deno.exit(await main(Deno.args));
