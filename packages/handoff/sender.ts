import type { ChildProcess } from "node:child_process";
import { Emitter, EventReader } from "@holdfast/events/emitter";
import { IpcSender } from "./_ipc_sender.ts";
import { judgePeer } from "./_judge.ts";
import { libc } from "./_libc.ts";
import { needsFfi } from "./_not_supported.ts";
import { ScmSender } from "./_scm_sender.ts";
import { noteOf } from "./_sender_entry.ts";
import { tokenBytes } from "./_token.ts";
import { connectTo } from "./_unix_path.ts";
import { DetachedSocket } from "./detached_socket.ts";
import { detach, type Detachable, type DetachOptions } from "./detach.ts";
import { HandoffError } from "./error.ts";
import { childOf, SpawnedProcess } from "./spawned.ts";
import type { TransferEvent, TransferMode } from "./transfer_event.ts";

const TIMEOUT_MS_DEFAULT = 10_000;
const RETRY_MS = 5;

/** Where sockets go; see {@linkcode openSender}. */
export type SendTarget =
  /** The path where a receiver listens. */
  | string
  /** A connected Unix stream socket, by its descriptor, which it takes over. */
  | { readonly fd: number }
  /** A child with node's channel: `stdio` with `"ipc"`, or `channel: true`. */
  | ChildProcess
  | SpawnedProcess;

/** Options for {@linkcode openSender}. */
export interface SenderOptions {
  /**
   * What the receiver has to know too, beside running as the right user. Over
   * a path only.
   *
   * @default {""}
   */
  readonly token?: Uint8Array | string | undefined;
  /**
   * The user that the receiver must run as.
   *
   * @default {the user of this process}
   */
  readonly peerUid?: number | "any" | undefined;
  /**
   * How long the receiver may take for each answer.
   *
   * @default {10000}
   */
  readonly timeoutMs?: number | undefined;
  /** Receives what a listener of an event throws. */
  readonly onListenerError?: ((error: unknown) => void) | undefined;
  /** Aborts the start. */
  readonly signal?: AbortSignal | undefined;
}

/** Options for {@linkcode SocketSender.send}. */
export interface SendOptions extends DetachOptions {
  /** JSON that the receiver gets beside the socket, up to 60 KiB. */
  readonly meta?: unknown;
}

/** What a {@linkcode SocketSender} is doing. */
export interface SenderStatus {
  /** How sockets travel. */
  readonly mode: TransferMode;
  /** Whether it can send. */
  readonly phase: "open" | "closed";
}

/** Gives sockets to another process; see {@linkcode openSender}. */
export class SocketSender extends EventReader<TransferEvent>
  implements AsyncDisposable {
  readonly #emitter: Emitter<TransferEvent>;
  readonly #way: ScmSender | IpcSender;

  /** Use {@linkcode openSender}. */
  constructor(way: object, onListenerError?: (error: unknown) => void) {
    const emitter = new Emitter<TransferEvent>({ onListenerError });
    super(emitter);
    this.#emitter = emitter;
    this.#way = way as ScmSender | IpcSender;
  }

  /** How sockets travel, and whether they can. */
  get state(): SenderStatus {
    return {
      mode: this.#way instanceof ScmSender ? "scm-rights" : "node-ipc",
      phase: this.#way.closed ? "closed" : "open",
    };
  }

  /**
   * Detaches a socket and gives it to the receiver, with its unread bytes.
   * Resolves when the receiver has it; this process has closed its hold then.
   * Several may be on their way at once; they arrive in order.
   *
   * @throws {HandoffError} When the receiver did not take it. It is in the
   *   error's `sockets` then, still open; `uncertain` says whether the receiver
   *   may have it all the same.
   */
  async send(socket: Detachable, options: SendOptions = {}): Promise<void> {
    const detached = socket instanceof DetachedSocket
      ? socket
      : await detach(socket, options);
    const note = noteOf(detached);
    this.#emitter.emit({ type: "offered", socket: note });
    try {
      if (this.#way instanceof ScmSender) {
        await this.#way.send(detached, options.meta);
      } else await this.#way.send(detached, options.meta);
    } catch (error) {
      if (error instanceof HandoffError) {
        const { code, message: reason } = error;
        this.#emitter.emit({
          type: "refused",
          code,
          reason,
          by: "peer",
          pid: null,
        });
      }
      throw error;
    }
    this.#emitter.emit({ type: "sent", socket: note });
  }

  /** Waits for what is on its way, and closes. A second call does nothing. */
  async close(): Promise<void> {
    await this.#way.close();
    this.#emitter[Symbol.dispose]();
  }

  /** See {@linkcode SocketSender.close}. */
  async [Symbol.asyncDispose](): Promise<void> {
    await this.close();
  }
}

/**
 * Connects to a process that receives sockets: by the path where it called
 * `receiveSockets` (or where a program of another language follows the
 * transfer protocol), which needs `--allow-ffi`; or as a child with node's
 * channel, which needs nothing.
 *
 * @throws {HandoffError} `handoff/peer-gone` when nobody listens there,
 *   `handoff/not-trusted` when the receiver is another user or refuses this
 *   one, `handoff/not-supported` without FFI.
 */
export async function openSender(
  target: SendTarget,
  options: SenderOptions = {},
): Promise<SocketSender> {
  const { signal, onListenerError } = options;
  const { timeoutMs = TIMEOUT_MS_DEFAULT } = options;
  signal?.throwIfAborted();
  if (!(timeoutMs > 0 && timeoutMs < 2 ** 31)) {
    throw new RangeError(
      `Cannot open a sender: timeoutMs must be from 1 to ${
        2 ** 31 - 1
      }: current value is ${timeoutMs}`,
    );
  }
  if (target instanceof SpawnedProcess) {
    return await openSender(childOf(target), options);
  }
  if (typeof target === "object" && "send" in target) {
    if (!target.connected) {
      throw new TypeError(
        'Cannot send to a child: it has no channel: start it with "ipc" in stdio, or with channel: true, and while it runs',
      );
    }
    return new SocketSender(new IpcSender(target, timeoutMs), onListenerError);
  }
  const way = await connectWay(target, options, timeoutMs);
  return new SocketSender(way, onListenerError);
}

async function connectWay(
  target: string | { readonly fd: number },
  options: SenderOptions,
  timeoutMs: number,
): Promise<ScmSender> {
  const token = tokenBytes(options.token);
  const library = libc();
  if (library === undefined) {
    throw needsFfi(
      "send a socket to another process by a path",
      "start that process as a child with node's channel",
    );
  }
  let fd = typeof target === "string" ? undefined : target.fd;
  const deadline = performance.now() + timeoutMs;
  while (typeof target === "string" && fd === undefined) {
    fd = connectTo(library, target);
    if (fd !== undefined) break;
    if (performance.now() > deadline) {
      throw new HandoffError(
        "handoff/timed-out",
        `Cannot connect to ${target}: the receiver accepts nobody: look whether it hangs`,
      );
    }
    await new Promise((resolve) => setTimeout(resolve, RETRY_MS));
    options.signal?.throwIfAborted();
  }
  const way = new ScmSender(library, fd!, timeoutMs);
  const trouble = judgePeer(
    way.peer,
    options.peerUid ?? library.call.geteuid(),
  );
  if (trouble !== null) {
    await way.close();
    throw new HandoffError(
      "handoff/not-trusted",
      `Cannot send to ${
        typeof target === "string" ? target : `descriptor ${target.fd}`
      }: ${trouble.reason}: give peerUid if that is right`,
    );
  }
  try {
    await way.greet(token);
  } catch (error) {
    await way.close();
    throw error;
  }
  return way;
}

/**
 * Gives one socket to another process, with its unread bytes: opens a sender,
 * sends, and closes it. For many, keep one {@linkcode openSender}.
 *
 * @example
 * ```ts
 * import { listen, receiveSockets, sendSocket, adopt } from "@holdfast/handoff";
 * import { assertEquals } from "@std/assert";
 *
 * // Two processes, in truth: here is the one that receives,
 * const path = `${await Deno.makeTempDir()}/sockets`;
 * await using receiver = receiveSockets(path);
 * // and here is the one that sends.
 * using listener = await listen({ port: 0 });
 * const { hostname, port } = listener.addr;
 * using client = await Deno.connect({ hostname, port });
 * await sendSocket(path, await listener.accept(), { meta: { user: 7 } });
 *
 * const received = await receiver.receive();
 * assertEquals(received.meta, { user: 7 });
 * using conn = await adopt(received, "conn");
 * await conn.write(new TextEncoder().encode("hello"));
 * assertEquals(await client.read(new Uint8Array(8)), 5);
 * ```
 *
 * @throws {HandoffError} See {@linkcode openSender} and
 *   {@linkcode SocketSender.send}.
 */
export async function sendSocket(
  target: SendTarget | SocketSender,
  socket: Detachable,
  options: SendOptions & SenderOptions = {},
): Promise<void> {
  if (target instanceof SocketSender) return await target.send(socket, options);
  await using sender = await openSender(target, options);
  await sender.send(socket, options);
}
