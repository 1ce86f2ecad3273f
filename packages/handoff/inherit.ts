import {
  FIRST_FD,
  type Inheritance,
  LISTEN_VARIABLES,
  type ListenVariable,
  parseInheritance,
  parseOtherInheritance,
} from "./_listen_fds.ts";
import { holdAnyFd } from "./_hold_fd.ts";
import { isListener } from "./_socket_kind.ts";
import { adopt } from "./adopt.ts";
import type { DetachedSocket } from "./detached_socket.ts";
import { HandoffError } from "./error.ts";
import type { PassableListener } from "./listener.ts";

/** Options for {@linkcode inheritedSockets}. */
export interface InheritedSocketsOptions {
  /**
   * Whether standard input is a socket, as inetd and `systemd-socket-activate
   * --inetd` pass it; it is `inetd` then.
   *
   * @default {false}
   */
  readonly inetd?: boolean | undefined;
  /** Aborts the take-over. */
  readonly signal?: AbortSignal | undefined;
}

/** The sockets that a process was started with, by name. */
export class InheritedSockets extends Map<string, PassableListener> {
  /** Those that are no listeners: connections and UDP sockets, to `adopt`. */
  readonly others: Map<string, DetachedSocket> = new Map();
}

/**
 * Takes in the sockets that this process was started with, by name, as
 * `spawnWithSockets`, systemd, einhorn (`einhorn.0`, …), nginx (`nginx.0`, …)
 * and others pass them. Empty when there are none, or when `LISTEN_PID` says
 * that they are another process's.
 *
 * The variables are taken out of the environment, so that children of this
 * process do not take them for their own; a second call finds nothing. None of
 * the sockets is closed: close those that you do not use.
 *
 * @example
 * ```ts
 * import { inheritedSockets, listen } from "@holdfast/handoff";
 * import { assertEquals } from "@std/assert";
 *
 * const inherited = await inheritedSockets();
 * using web = inherited.get("web") ?? await listen({ port: 0 });
 * assertEquals(web.addr.hostname, "127.0.0.1");
 * assertEquals(inherited.others.size, 0); // no connections
 * ```
 *
 * @throws {HandoffError} `handoff/bad-inheritance` when the variables make no
 *   sense, or a descriptor is no TCP, Unix or UDP socket.
 */
export async function inheritedSockets(
  options: InheritedSocketsOptions = {},
): Promise<InheritedSockets> {
  options.signal?.throwIfAborted();
  const { names, fds } = consumeAll();
  if (options.inetd) {
    names.push("inetd");
    fds.push(0);
  }
  return await adoptFds(names, fds);
}

function consumeAll(): { names: string[]; fds: number[] } {
  const inheritance = consumeInheritance();
  if (inheritance !== undefined) {
    const names = [...inheritance.names];
    return { names, fds: names.map((_, index) => FIRST_FD + index) };
  }
  const other = parseOtherInheritance(readVariable);
  for (const name of other?.used ?? []) Deno.env.delete(name);
  return { names: other?.names ?? [], fds: other?.fds ?? [] };
}

/** One that may not be read was not meant for this program. */
function readVariable(name: string): string | undefined {
  try {
    return Deno.env.get(name);
  } catch (error) {
    if (error instanceof Deno.errors.NotCapable) return undefined;
    throw error;
  }
}

/** For this package: reads the variables and takes them out. */
export function consumeInheritance(): Inheritance | undefined {
  const variables: Partial<Record<ListenVariable, string>> = {};
  for (const name of LISTEN_VARIABLES) {
    const value = Deno.env.get(name);
    if (value !== undefined) variables[name] = value;
  }
  const inheritance = parseInheritance(variables, Deno.pid);
  if (inheritance !== undefined) {
    for (const name of LISTEN_VARIABLES) Deno.env.delete(name);
  }
  return inheritance;
}

/** For this package: the sockets on the inherited descriptors. */
export async function adoptSockets(
  inheritance: Inheritance,
): Promise<InheritedSockets> {
  const { names } = inheritance;
  return await adoptFds(names, names.map((_, index) => FIRST_FD + index));
}

async function adoptFds(
  names: readonly string[],
  fds: readonly number[],
): Promise<InheritedSockets> {
  const sockets = new InheritedSockets();
  for (const [index, name] of names.entries()) {
    const fd = fds[index]!;
    const held = holdAnyFd(fd);
    if (held === undefined) {
      for (const listener of sockets.values()) listener.close();
      for (const other of sockets.others.values()) other.close();
      throw new HandoffError(
        "handoff/bad-inheritance",
        `Cannot take over socket "${name}": descriptor ${fd} is not a listening TCP socket, nor another TCP, Unix or UDP socket: pass one`,
      );
    }
    if (isListener(held.kind)) {
      sockets.set(name, await adopt(held, "listener") as PassableListener);
    } else sockets.others.set(name, held);
  }
  return sockets;
}
