// deno-lint-ignore-file no-console -- a command line prints
/** The two ends of a tunnel as the command line runs them. */
import {
  CommandError,
  dialer,
  listenAt,
  readText,
  type Route,
} from "./_cli_listen.ts";
import { report } from "./_cli_report.ts";
import {
  parseInheritance,
  restart,
  type Restartable,
  type TakenOver,
  takeOver,
} from "./_cli_restart.ts";
import { addressText, errorText, reasonOf } from "./_deno.ts";
import { canPass } from "./_descriptors.ts";
import type { PresharedKey } from "./_handshake_client.ts";
import { keyFinder, parseKeys } from "./_key_file.ts";
import { SharedListener } from "./_shared_listener.ts";
import { connectResumable } from "./client.ts";
import type { ConnectOptions, NetworkNews } from "./connect_options.ts";
import { ResumeError } from "./errors.ts";
import {
  connectTunnel,
  parseTunnelAddress,
  serveTunnel,
  type ServeTunnelOptions,
  type TunnelAddress,
  tunnelAddressText,
} from "./tunnel.ts";
import { HOLDS_TARGETS } from "./tunnel_options.ts";

/** What the program around this command line adds. */
export interface TunnelCommandOptions {
  /** News about the network, to redial at once; asked for by `connect` only. */
  readonly network?:
    | (() => Promise<(NetworkNews & AsyncDisposable) | undefined>)
    | undefined;
}

/** Wrong use of the command line: exit code 2. */
export class UsageError extends Error {}

/** What the command line says. */
export interface TunnelFlags {
  readonly listen?: string;
  readonly to?: readonly string[];
  readonly target?: string;
  readonly keys?: string;
  readonly cert?: string;
  readonly "cert-key"?: string;
  readonly ca?: string;
  readonly ttl?: string;
  readonly "pid-file"?: string;
  /** For a restart alone: what this process inherits. */
  readonly successor?: string;
  readonly json: boolean;
  readonly open: boolean;
  readonly tls: boolean;
}

function required(name: string, value: string | undefined): TunnelAddress {
  if (value !== undefined) return parseTunnelAddress(value);
  throw new UsageError(`Cannot start: --${name} is missing`);
}

async function keysOf(
  { keys }: TunnelFlags,
): Promise<readonly PresharedKey[]> {
  return keys === undefined ? [] : parseKeys(await readText(keys), keys);
}

function isLocal(address: TunnelAddress): boolean {
  return address.transport === "unix" || address.hostname === "localhost" ||
    address.hostname === "::1" || /^127\./.test(address.hostname);
}

/** Runs the far end until a signal ends it; resolves with the exit code. */
export async function serve(flags: TunnelFlags): Promise<number> {
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
  const predecessor = await predecessorOf(flags);
  const listener = await listenAt(
    listen,
    cert === undefined ? undefined : { cert, key: key! },
    predecessor,
  );
  const options: ServeTunnelOptions = {
    targets,
    predecessor,
    accept: {
      ttlMs,
      presharedKey: keys.length === 0 ? undefined : keyFinder(keys),
    },
    ...(canPass() ? { [HOLDS_TARGETS]: true } : {}),
  };
  await using tunnel = serveTunnel(listener, options);
  using _report = report(tunnel, flags.json);
  using _restarts = restartsOnHangup(flags, tunnel, listener);
  sayListening(flags, tunnel.addr, targets.map(tunnelAddressText));
  await signalled();
  return 0;
}

/** Runs the near end, likewise. */
export async function connect(
  flags: TunnelFlags,
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
  const predecessor = await predecessorOf(flags);
  const listener = await listenAt(listen, undefined, predecessor);
  await using news = await network?.();
  const options = { presharedKey, network: news };
  await using tunnel = connectTunnel(listener, dialer(route), {
    target,
    predecessor,
    connect: options,
  });
  using _report = report(tunnel, flags.json);
  // A successor's connections tell soon enough.
  if (predecessor === undefined) await look(route, options);
  using _restarts = restartsOnHangup(flags, tunnel, listener);
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
  { json }: TunnelFlags,
  addr: Deno.Addr | undefined,
  to: readonly string[],
): void {
  const listening = addressText(addr);
  if (json) console.log(JSON.stringify({ type: "listening", listening, to }));
  else console.error(`Listening on ${listening}, to ${to.join(", ")}`);
}

async function predecessorOf(
  { successor }: TunnelFlags,
): Promise<TakenOver | undefined> {
  if (successor === undefined) return undefined;
  const inheritance = parseInheritance(successor);
  if (inheritance !== undefined) return await takeOver(inheritance);
  throw new UsageError(
    "Cannot use --successor: only a restart by SIGHUP passes it",
  );
}

/** Says which process this is, and restarts it when SIGHUP asks for that. */
function restartsOnHangup(
  flags: TunnelFlags,
  tunnel: Restartable,
  listener: unknown,
): Disposable {
  const sayWho = (pid: number): void => {
    const file = flags["pid-file"];
    if (file === undefined) return;
    // At once, for whoever reads it meanwhile.
    Deno.writeTextFileSync(`${file}.new`, `${pid}\n`);
    Deno.renameSync(`${file}.new`, file);
  };
  sayWho(Deno.pid);
  const stack = new DisposableStack();
  // At a terminal it says that the terminal is gone.
  if (Deno.build.os !== "linux" || Deno.stdin.isTerminal()) return stack;
  let busy = false;
  const hangup = async (): Promise<void> => {
    if (busy) return;
    busy = true;
    const shared = listener instanceof SharedListener ? listener : undefined;
    // Before this one ends: systemd then knows whom to follow.
    const starting = (successor: number): void => {
      sayWho(successor);
      if (!flags.json) return console.error(`Restarting as ${successor}`);
      console.log(JSON.stringify({ type: "restarting", successor }));
    };
    try {
      await restart(tunnel, shared, starting);
    } catch (error) {
      sayWho(Deno.pid);
      console.error(errorText(error));
    }
    busy = false;
  };
  Deno.addSignalListener("SIGHUP", hangup);
  stack.defer(() => Deno.removeSignalListener("SIGHUP", hangup));
  return stack;
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
