import { spawn, type StdioOptions } from "node:child_process";
import type { Socket as DatagramSocket } from "node:dgram";
import type { Server, Socket } from "node:net";
import { SocketDuplex } from "./_duplex.ts";
import { notSupported } from "./_not_supported.ts";
import {
  FIRST_FD,
  type InheritanceProtocol,
  listenVariables,
  PROTOCOLS,
  requireSocketName,
} from "./_listen_fds.ts";
import { type Passing, passingOf } from "./_passing.ts";
import { HandoffError } from "./error.ts";
import type { DetachedSocket } from "./detached_socket.ts";
import type { PassableListener } from "./listener.ts";
import { SpawnedProcess } from "./spawned.ts";

const SHELL = "/bin/sh";
// LISTEN_PID must be the id of the very process that takes the sockets, which
// only that process knows before it is started.
const SET_PID_AND_BECOME = 'LISTEN_PID=$$; export LISTEN_PID; exec "$@"';

const BECOME = 'exec "$@"';

/** A socket that {@linkcode spawnWithSockets} passes. */
export type PassableSocket =
  | PassableListener<Deno.Addr>
  | DetachedSocket
  | Server
  | Socket
  | DatagramSocket;

/** Options for {@linkcode spawnWithSockets}. */
export interface SpawnWithSocketsOptions {
  /**
   * The arguments of the program.
   *
   * @default {[]}
   */
  readonly args?: readonly string[] | undefined;
  /**
   * How the program is told of the sockets.
   *
   * @default {"systemd"}
   */
  readonly protocol?: InheritanceProtocol | undefined;
  /**
   * Variables for the program, added to this process's own.
   *
   * @default {{}}
   */
  readonly env?: Readonly<Record<string, string>> | undefined;
  /**
   * Whether the program gets the variables in `env` and no others. Without it
   * the whole environment is read, which needs `--allow-env` for all of it.
   *
   * @default {false}
   */
  readonly clearEnv?: boolean | undefined;
  /** The program's working directory; by default this process's. */
  readonly cwd?: string | undefined;
  /**
   * The program's standard input.
   *
   * @default {"null"}
   */
  readonly stdin?: "inherit" | "null" | undefined;
  /**
   * Where its standard output goes.
   *
   * @default {"inherit"}
   */
  readonly stdout?: "inherit" | "null" | "piped" | undefined;
  /**
   * Where its standard error goes.
   *
   * @default {"inherit"}
   */
  readonly stderr?: "inherit" | "null" | "piped" | undefined;
  /**
   * Whether to open a channel of bytes to the program, whose descriptor it
   * finds in `HOLDFAST_CONTROL_FD`. `Upgrader.upgrade` uses it.
   *
   * @default {false}
   */
  readonly control?: boolean | undefined;
  /**
   * Whether to open node's channel to the program, over which `sendSocket`
   * gives it more sockets later, without FFI. Deno and Node programs find it by
   * themselves, others by `NODE_CHANNEL_FD`.
   *
   * @default {false}
   */
  readonly channel?: boolean | undefined;
  /** Sends the program SIGTERM when aborted. */
  readonly signal?: AbortSignal | undefined;
}

/**
 * Starts a program that inherits sockets, by name, from descriptor 3 on. By
 * default it is told of them as by systemd's socket activation: `LISTEN_FDS`,
 * `LISTEN_FDNAMES`, and `LISTEN_PID`. Python, Go, Rust, gunicorn and many others
 * take them in without further ado; in Deno, `inheritedSockets` does. Other
 * protocols: `NGINX=`, `EINHORN_FD_n`, and inetd, where the one socket is
 * standard input and output.
 *
 * The sockets stay open here. While both processes accept, the kernel gives
 * each connection to one of them.
 *
 * The program must leave the sockets non-blocking, as it finds them, for as
 * long as this process accepts from them: the mode belongs to the socket and
 * not to the descriptor, so a blocking one would hang this process.
 *
 * @example
 * ```ts
 * import { listen, spawnWithSockets } from "@holdfast/handoff";
 * import { assert } from "@std/assert";
 *
 * using listener = await listen({ port: 0 });
 * const child = await spawnWithSockets("sh", { web: listener }, {
 *   args: ["-c", 'test "$LISTEN_FDS" = 1 && test "$LISTEN_PID" = $$'],
 * });
 * const status = await child.status;
 * assert(status.success);
 * ```
 *
 * @throws {HandoffError} `handoff/not-supported` where descriptors cannot be
 *   passed, `handoff/spawn-failed` when the system refuses to start a process.
 *   A program that does not exist is told by the shell: exit code 127.
 */
export async function spawnWithSockets(
  command: string,
  sockets: Readonly<Record<string, PassableSocket>> = {},
  options: SpawnWithSocketsOptions = {},
): Promise<SpawnedProcess> {
  const { control = false, signal, protocol = "systemd" } = options;
  signal?.throwIfAborted();
  if (Deno.build.os === "windows") throw notSupported("pass sockets");
  const names = Object.keys(sockets);
  names.forEach(requireSocketName);
  requireProtocol(protocol, names.length, options);
  const kept = Object.values(sockets).map(passingOf);
  const env = {
    ...(options.clearEnv ? undefined : ownEnv()),
    ...options.env,
    ...listenVariables(names, control, protocol),
  };
  const process = await start(command, options, env, kept);
  if (signal !== undefined) killOnAbort(process, signal);
  return process;
}

function start(
  command: string,
  options: SpawnWithSocketsOptions,
  env: Record<string, string>,
  kept: readonly Passing[],
): Promise<SpawnedProcess> {
  const { args = [], stdin = "null", control = false } = options;
  const { protocol = "systemd" } = options;
  const held: { readonly socket: Passing; readonly fd: number }[] = [];
  return new Promise((resolve, reject) => {
    try {
      for (const socket of kept) held.push({ socket, fd: socket.duplicate() });
      const fds = held.map(({ fd }) => fd);
      const inetd = protocol === "inetd" ? fds.splice(0) : [];
      const stdio: StdioOptions = [
        inetd[0] ?? (stdin === "null" ? "ignore" : "inherit"),
        inetd[0] ?? nodeStdio(options.stdout),
        nodeStdio(options.stderr),
        ...fds,
      ];
      if (control) stdio.push("pipe");
      if (options.channel) stdio.push("ipc");
      const child = spawn(
        SHELL,
        [
          "-c",
          protocol === "systemd" ? SET_PID_AND_BECOME : BECOME,
          "sh",
          command,
          ...args,
        ],
        { stdio, env, ...(options.cwd ? { cwd: options.cwd } : undefined) },
      );
      child.on("error", (error) => reject(spawnFailed(command, error)));
      if (child.pid === undefined) return; // The error event follows.
      const last = child.stdio.at(FIRST_FD + fds.length) as unknown as Socket;
      const channel = control ? new SocketDuplex(last) : null;
      resolve(new SpawnedProcess(child, channel));
    } catch (error) {
      reject(spawnFailed(command, error));
    } finally {
      // In the same turn, before anything can accept: see `release`.
      for (const { socket, fd } of held) socket.release(fd);
    }
  });
}

function requireProtocol(
  protocol: InheritanceProtocol,
  count: number,
  options: SpawnWithSocketsOptions,
): void {
  if (!PROTOCOLS.includes(protocol)) {
    throw new TypeError(
      `Cannot pass sockets by ${JSON.stringify(protocol)}: use one of ${
        PROTOCOLS.join(", ")
      }`,
    );
  }
  if (protocol !== "inetd") return;
  if (count === 1 && !options.control && !options.channel) return;
  throw new TypeError(
    `Cannot pass ${count} sockets as inetd does: it passes exactly one, and no channel beside it: use another protocol`,
  );
}

function nodeStdio(
  kind: "inherit" | "null" | "piped" = "inherit",
): "inherit" | "ignore" | "pipe" {
  return kind === "null" ? "ignore" : kind === "piped" ? "pipe" : "inherit";
}

function ownEnv(): Record<string, string> {
  try {
    return Deno.env.toObject();
  } catch (error) {
    if (!(error instanceof Deno.errors.NotCapable)) throw error;
    throw new Deno.errors.NotCapable(
      "Cannot pass this process's environment on: it may not be read: run with --allow-env, or set clearEnv and name the variables in env",
      { cause: error },
    );
  }
}

function killOnAbort(process: SpawnedProcess, signal: AbortSignal): void {
  const kill = (): void => process.kill();
  signal.addEventListener("abort", kill, { once: true });
  if (signal.aborted) kill();
  process.status.then(() => signal.removeEventListener("abort", kill));
}

function spawnFailed(command: string, cause: unknown): Error {
  if (cause instanceof Deno.errors.NotCapable) return cause;
  return new HandoffError(
    "handoff/spawn-failed",
    `Cannot start ${JSON.stringify(command)}: ${
      cause instanceof Error ? cause.message : cause
    }: see whether ${SHELL} may be run and descriptors are left`,
    { cause },
  );
}
