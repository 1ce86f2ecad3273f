import { Emitter, EventReader } from "@holdfast/events/emitter";
import { libc, useLibc } from "./_libc.ts";
import { HolderServer } from "./_holder_server.ts";
import { needsFfi } from "./_not_supported.ts";
import { tokenBytes } from "./_token.ts";
import { detach, type Detachable } from "./detach.ts";
import type { DetachedSocket } from "./detached_socket.ts";
import type { TransferredSocket } from "./transfer_event.ts";

/** What a holder tells. */
export type HolderEvent =
  /** A socket is kept under a name. */
  | {
    readonly type: "stored";
    /** The name. */
    readonly name: string;
    /** What it is. */
    readonly socket: TransferredSocket;
  }
  /** A process was given a socket: a listener's duplicate, a connection itself. */
  | {
    readonly type: "taken";
    /** The name. */
    readonly name: string;
    /** The process, where known. */
    readonly pid: number | null;
  }
  /** A name was forgotten. */
  | { readonly type: "dropped"; readonly name: string }
  /** A peer, or what it asked, was refused. */
  | {
    readonly type: "refused";
    /** Which rule it broke. */
    readonly code: string;
    /** In words. */
    readonly reason: string;
  };

/** Options for {@linkcode openHolder}. */
export interface HolderOptions {
  /** What a client has to know, beside running as the right user. */
  readonly token?: Uint8Array | string | undefined;
  /**
   * The user that a client must run as.
   *
   * @default {the user of this process}
   */
  readonly peerUid?: number | "any" | undefined;
  /**
   * How many sockets it keeps.
   *
   * @default {1000}
   */
  readonly socketsMax?: number | undefined;
  /**
   * The longest state blob of one socket.
   *
   * @default {1048576}
   */
  readonly stateBytesMax?: number | undefined;
  /** Receives what a listener of an event throws. */
  readonly onListenerError?: ((error: unknown) => void) | undefined;
  /** Closes the holder. */
  readonly signal?: AbortSignal | undefined;
}

/** A socket that a holder keeps. */
export interface HeldSocket {
  readonly name: string;
  readonly socket: DetachedSocket;
  readonly state: Uint8Array;
}

/** A tiny process's keep of sockets; see {@linkcode openHolder}. */
export class Holder extends EventReader<HolderEvent>
  implements AsyncDisposable {
  readonly #emitter: Emitter<HolderEvent>;
  readonly #held: Map<string, HeldSocket> = new Map();
  readonly #server: HolderServer;
  readonly #unuse: () => void;
  readonly #onAbort = (): void => void this.close();
  readonly #signal: AbortSignal | undefined;

  /** Use {@linkcode openHolder}. */
  constructor(path: string, options: HolderOptions) {
    const { onListenerError } = options;
    const emitter = new Emitter<HolderEvent>({ onListenerError });
    super(emitter);
    this.#emitter = emitter;
    const library = libc();
    if (library === undefined) {
      throw needsFfi(
        "hold sockets for other processes at a path",
        "start the server from the holder: holdfast handoff hold -- COMMAND",
      );
    }
    this.#server = new HolderServer(library, path, {
      token: tokenBytes(options.token),
      peerUid: options.peerUid ?? library.call.geteuid(),
      stateBytesMax: options.stateBytesMax ?? 1024 * 1024,
      socketsMax: options.socketsMax ?? 1000,
      held: this.#held,
      emit: (event) => this.#emitter.emit(event),
    });
    this.#unuse = useLibc();
    this.#signal = options.signal;
    this.#signal?.addEventListener("abort", this.#onAbort, { once: true });
  }

  /** The names that are kept, and what they are. */
  get state(): ReadonlyMap<string, string> {
    return new Map(
      [...this.#held].map(([name, { socket }]) => [name, socket.kind]),
    );
  }

  /** Keeps a socket of this process under a name; an older one is closed. */
  async store(
    name: string,
    socket: Detachable,
    state: Uint8Array = new Uint8Array(),
  ): Promise<void> {
    this.#server.keep(name, await detach(socket), state);
  }

  /** Closes all sockets, and removes the path. A second call does nothing. */
  async close(): Promise<void> {
    this.#signal?.removeEventListener("abort", this.#onAbort);
    await this.#server.close();
    for (const { socket } of this.#held.values()) socket[Symbol.dispose]();
    this.#held.clear();
    this.#unuse();
    this.#emitter[Symbol.dispose]();
  }

  /** See {@linkcode Holder.close}. */
  async [Symbol.asyncDispose](): Promise<void> {
    await this.close();
  }
}

/**
 * Keeps sockets at a path, so that they outlive the processes that use them: a
 * server that is killed with SIGKILL leaves its listener open here, clients
 * wait in the kernel's queue, and the next server takes the listener and
 * answers them. A listener is given out as often as it is asked for; a
 * connection once, with the state that was stored with it.
 *
 * Keep the process that holds tiny: `holdfast handoff hold`. Needs
 * `--allow-ffi` and reading and writing the path's folder, which only this user
 * may enter.
 *
 * @example
 * ```ts
 * import { listen, openHolder, takeFromHolder } from "@holdfast/handoff";
 * import { assertEquals } from "@std/assert";
 *
 * const path = `${await Deno.makeTempDir()}/holder`;
 * await using holder = await openHolder(path);
 * await holder.store("web", await listen({ port: 0 }));
 * // In the server, and in the next one, and the next:
 * const taken = await takeFromHolder(path, "web");
 * assertEquals(taken.socket.kind, "tcp-listener");
 * taken.socket.close();
 * ```
 *
 * @throws {HandoffError} `handoff/insecure-path`, `handoff/not-supported`.
 */
export function openHolder(
  path: string,
  options: HolderOptions = {},
): Promise<Holder> {
  return Promise.resolve().then(() => {
    options.signal?.throwIfAborted();
    return new Holder(path, options);
  });
}
