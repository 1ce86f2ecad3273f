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
  CommandError,
  dialer,
  listenAt,
  readText,
  type Route,
} from "./_cli_listen.ts";
import { report } from "./_cli_report.ts";
import { addressText, reasonOf } from "./_deno.ts";
import type { PresharedKey } from "./_handshake_client.ts";
import { keyFinder, newKeyLine, parseKeys } from "./_key_file.ts";
import { connectResumable } from "./client.ts";
import type { ConnectOptions, NetworkNews } from "./connect_options.ts";
import { ResumeError } from "./errors.ts";
import {
  connectTunnel,
  parseTunnelAddress,
  serveTunnel,
  type TunnelAddress,
  tunnelAddressText,
} from "./tunnel.ts";

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

Permissions: --allow-net, or exactly the hosts named; --allow-read for --keys,
--cert, --cert-key, --ca and Unix sockets, --allow-write for Unix sockets.
Exit code: 0 done, 1 failed, 2 bad usage.`;

/** What the program around this command line adds. */
export interface TunnelCommandOptions {
  /** News about the network, to redial at once; asked for by `connect` only. */
  readonly network?:
    | (() => Promise<(NetworkNews & AsyncDisposable) | undefined>)
    | undefined;
}

/** Wrong use of the command line: exit code 2. */
class UsageError extends Error {}

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

type Flags = ReturnType<typeof parse>["values"];

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

function required(name: string, value: string | undefined): TunnelAddress {
  if (value !== undefined) return parseTunnelAddress(value);
  throw new UsageError(`Cannot start: --${name} is missing`);
}

async function keysOf({ keys }: Flags): Promise<readonly PresharedKey[]> {
  return keys === undefined ? [] : parseKeys(await readText(keys), keys);
}

function isLocal(address: TunnelAddress): boolean {
  return address.transport === "unix" || address.hostname === "localhost" ||
    address.hostname === "::1" || /^127\./.test(address.hostname);
}

async function serve(flags: Flags): Promise<number> {
  const listen = required("listen", flags.listen);
  const targets = (flags.to ?? []).map(parseTunnelAddress);
  if (targets.length === 0) required("to", undefined);
  const ttlMs = Number(flags.ttl ?? 120) * 1000;
  const keys = await keysOf(flags);
  if (keys.length === 0 && !flags.open && !isLocal(listen)) {
    throw new CommandError(
      `Cannot listen on ${
        tunnelAddressText(listen)
      } without keys: whoever reaches it would reach ${
        targets.map(tunnelAddressText).join(", ")
      }: give --keys, or --open if that is meant`,
    );
  }
  const { cert, "cert-key": key } = flags;
  if ((cert === undefined) !== (key === undefined)) {
    throw new UsageError("Cannot use TLS: give both --cert and --cert-key");
  }
  const listener = await listenAt(
    listen,
    cert === undefined ? undefined : { cert, key: key! },
  );
  await using tunnel = serveTunnel(listener, {
    targets,
    accept: {
      ttlMs,
      presharedKey: keys.length === 0 ? undefined : keyFinder(keys),
    },
  });
  using _report = report(tunnel, flags.json);
  sayListening(flags, tunnel.addr, targets.map(tunnelAddressText));
  await signalled();
  return 0;
}

async function connect(
  flags: Flags,
  { network }: TunnelCommandOptions,
): Promise<number> {
  const listen = required("listen", flags.listen);
  const [to, ...more] = flags.to ?? [];
  if (more.length > 0) throw new UsageError("Cannot use --to more than once");
  const server = required("to", to);
  const target = flags.target === undefined
    ? undefined
    : parseTunnelAddress(flags.target);
  const [presharedKey] = await keysOf(flags);
  const caCerts = flags.ca === undefined ? [] : [await readText(flags.ca)];
  const tls = flags.tls || flags.ca !== undefined ? { caCerts } : undefined;
  const route: Route = { to: server, tls };
  const listener = await listenAt(listen);
  await using news = await network?.();
  const options = { presharedKey, network: news };
  await using tunnel = connectTunnel(listener, dialer(route), {
    target,
    connect: options,
  });
  using _report = report(tunnel, flags.json);
  await look(route, options);
  sayListening(flags, tunnel.addr, [tunnelAddressText(server)]);
  await signalled();
  await Promise.race([tunnel.drain(), signalled()]);
  return 0;
}

// A wrong key or a wrong peer is told at once, and not to the first program
// that connects. A server that is not there yet may still come.
async function look(route: Route, options: ConnectOptions): Promise<void> {
  try {
    (await connectResumable(dialer(route), options)).abort();
  } catch (error) {
    if (error instanceof ResumeError && error.code !== "resume/busy") {
      throw error;
    }
    console.error(
      `Cannot reach ${tunnelAddressText(route.to)} yet: ${
        reasonOf(error)
      }; it is tried again for each connection`,
    );
  }
}

function sayListening(
  { json }: Flags,
  addr: Deno.Addr | undefined,
  to: readonly string[],
): void {
  const listening = addressText(addr);
  if (json) console.log(JSON.stringify({ type: "listening", listening, to }));
  else console.error(`Listening on ${listening}, to ${to.join(", ")}`);
}

/** Resolves at the next signal that asks the program to end. */
function signalled(): Promise<void> {
  return new Promise((resolve) => {
    const heard: Deno.Signal[] = [];
    const done = (): void => {
      for (const name of heard) Deno.removeSignalListener(name, done);
      resolve();
    };
    for (const name of ["SIGINT", "SIGTERM"] as const) {
      try {
        Deno.addSignalListener(name, done);
        heard.push(name);
      } catch {
        // Windows has only the first.
      }
    }
  });
}

if (import.meta.main) Deno.exit(await main(Deno.args));
