import { BACKLOG_DEFAULT, startListening } from "./listen.ts";
import {
  FIRST_FD,
  type Inheritance,
  LISTEN_VARIABLES,
  type ListenVariable,
  parseInheritance,
} from "./_listen_fds.ts";
import { HandoffError } from "./error.ts";
import type { PassableListener } from "./listener.ts";

/** Options for {@linkcode inheritedSockets}. */
export interface InheritedSocketsOptions {
  /** Aborts the take-over. */
  readonly signal?: AbortSignal | undefined;
}

/**
 * Takes in the listening sockets that this process was started with, by name,
 * as `spawnWithSockets`, systemd and others pass them. Empty when there are
 * none, or when `LISTEN_PID` says that they are another process's.
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
 * ```
 *
 * @throws {HandoffError} `handoff/bad-inheritance` when the variables make no
 *   sense, or a descriptor is not a listening TCP socket.
 */
export async function inheritedSockets(
  options: InheritedSocketsOptions = {},
): Promise<Map<string, PassableListener>> {
  options.signal?.throwIfAborted();
  const inheritance = consumeInheritance();
  return inheritance === undefined
    ? new Map()
    : await adoptSockets(inheritance);
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

/** For this package: the listeners on the inherited descriptors. */
export async function adoptSockets(
  inheritance: Inheritance,
): Promise<Map<string, PassableListener>> {
  const listeners = new Map<string, PassableListener>();
  for (const [index, name] of inheritance.names.entries()) {
    const fd = FIRST_FD + index;
    try {
      const backlog = BACKLOG_DEFAULT;
      const listener = await startListening({ fd, backlog });
      listeners.set(name, listener as PassableListener);
    } catch (cause) {
      for (const listener of listeners.values()) listener.close();
      throw new HandoffError(
        "handoff/bad-inheritance",
        `Cannot take over socket "${name}": descriptor ${fd} is not a listening TCP socket: pass one, and no other kind`,
        { cause },
      );
    }
  }
  return listeners;
}
