import { Emitter, EventReader } from "@holdfast/events/emitter";
import { receiveFromParent } from "./_ipc_receiver.ts";
import type { Trouble } from "./_judge.ts";
import type { PeerCredentials } from "./_kernel_socket.ts";
import { libc, useLibc } from "./_libc.ts";
import { needsFfi } from "./_not_supported.ts";
import { pollerIdle } from "./_poller.ts";
import { ScmListener } from "./_scm_listener.ts";
import { SOCKET_KINDS, type SocketKind } from "./_socket_kind.ts";
import { tokenBytes } from "./_token.ts";
import {
  limit,
  type ReceiveOptions,
  type ReceiverStatus,
  type ReceiveSource,
} from "./receive_options.ts";
import type { ReceivedSocket } from "./received_socket.ts";
import type { TransferEvent, TransferredSocket } from "./transfer_event.ts";

/** The sockets that other processes send; see {@linkcode receiveSockets}. */
export class SocketReceiver extends EventReader<TransferEvent>
  implements AsyncIterable<ReceivedSocket>, AsyncDisposable {
  readonly #emitter: Emitter<TransferEvent>;
  readonly #waiting: ReceivedSocket[] = [];
  readonly #waiters: PromiseWithResolvers<ReceivedSocket>[] = [];
  readonly #waitingMax: number;
  readonly #listener: ScmListener | undefined;
  readonly #stopParent: (() => void) | undefined;
  readonly #onAbort = (): void => void this.close();
  readonly #signal: AbortSignal | undefined;
  #room: PromiseWithResolvers<void> | undefined;
  #unuse: (() => void) | undefined;
  #phase: "open" | "ended" | "closed" = "open";

  /** Use {@linkcode receiveSockets}. */
  constructor(source: ReceiveSource, options: ReceiveOptions) {
    const { onListenerError, signal } = options;
    const emitter = new Emitter<TransferEvent>({ onListenerError });
    super(emitter);
    this.#emitter = emitter;
    this.#waitingMax = limit("waitingMax", options.waitingMax ?? 256);
    const kinds = options.kinds ?? SOCKET_KINDS;
    const unreadBytesMax = limit(
      "unreadBytesMax",
      options.unreadBytesMax ?? 16 * 1024 * 1024,
    );
    if (typeof source === "object" && "parent" in source) {
      this.#stopParent = receiveFromParent({
        kinds,
        unreadBytesMax,
        waitingMax: this.#waitingMax,
        waiting: () => this.#waiting.length,
        onReceived: (socket, note) => this.#take([socket], [note], null),
        onRefused: (trouble) => this.#refused(trouble, null),
        onEnd: () => this.#end(),
      });
      if (this.#stopParent === undefined) {
        throw new TypeError(
          'Cannot receive from the parent: it opened no channel: start this program with "ipc" in the stdio of node:child_process, or with channel: true',
        );
      }
    } else {
      this.#listener = this.#listen(source, options, kinds, unreadBytesMax);
      this.#unuse = useLibc();
    }
    this.#signal = signal;
    signal?.addEventListener("abort", this.#onAbort, { once: true });
  }

  #listen(
    source: string | { readonly fd: number },
    options: ReceiveOptions,
    kinds: readonly SocketKind[],
    unreadBytesMax: number,
  ): ScmListener {
    const library = libc();
    if (library === undefined) {
      throw needsFfi(
        "receive sockets from other processes by a path",
        "let the parent send them over node's channel: { parent: true }",
      );
    }
    return new ScmListener(library, source, {
      token: tokenBytes(options.token),
      peerUid: options.peerUid ?? library.call.geteuid(),
      kinds,
      unreadBytesMax,
      peersMax: limit("peersMax", options.peersMax ?? 64),
      socketsMax: limit(
        "socketsPerPeerMax",
        options.socketsPerPeerMax ?? 1_000_000,
      ),
      helloTimeoutMs: limit("helloTimeoutMs", options.helloTimeoutMs ?? 5000),
      frameTimeoutMs: limit(
        "frameTimeoutMs",
        options.frameTimeoutMs ?? 10_000,
      ),
      free: () => this.#waitingMax - this.#waiting.length,
      room: (signal) => this.#whenRoom(signal),
      onJoin: (peer) => {
        const { pid = null, uid = null } = peer ?? {};
        this.#emitter.emit({ type: "peer-joined", pid, uid });
      },
      onReceived: (sockets, notes) =>
        this.#take(sockets, notes, sockets[0]?.peer ?? null),
      onRefused: (trouble, peer) => this.#refused(trouble, peer),
      onLeave: (peer) => {
        this.#emitter.emit({ type: "peer-left", pid: peer?.pid ?? null });
      },
      onEnd: () => this.#end(),
    });
  }

  /** How sockets come, and how many wait. */
  get state(): ReceiverStatus {
    return {
      mode: this.#listener === undefined ? "node-ipc" : "scm-rights",
      phase: this.#phase,
      waiting: this.#waiting.length,
      peers: this.#listener?.peers ?? 1,
    };
  }

  /**
   * The next socket, which is the caller's to adopt or close.
   *
   * @throws {Deno.errors.BadResource} When the receiver is closed, or the only
   *   sender it can have is gone.
   */
  async receive(): Promise<ReceivedSocket> {
    const socket = this.#waiting.shift();
    if (socket !== undefined) {
      this.#room?.resolve();
      this.#room = undefined;
      return socket;
    }
    if (this.#phase !== "open") throw this.#over();
    const waiter = Promise.withResolvers<ReceivedSocket>();
    this.#waiters.push(waiter);
    return await waiter.promise;
  }

  /** The sockets one after the other, until the receiver is closed. */
  async *[Symbol.asyncIterator](): AsyncIterator<ReceivedSocket> {
    while (true) {
      try {
        yield await this.receive();
      } catch (error) {
        if (!(error instanceof Deno.errors.BadResource)) throw error;
        return;
      }
    }
  }

  /**
   * Stops receiving and removes the path. Sockets that wait for the program
   * are closed. A second call does nothing.
   */
  async close(): Promise<void> {
    if (this.#phase !== "closed") {
      this.#phase = "closed";
      this.#signal?.removeEventListener("abort", this.#onAbort);
      this.#stopParent?.();
      for (const socket of this.#waiting.splice(0)) socket.close();
      this.#release();
    }
    await this.#listener?.close();
    await pollerIdle();
    this.#unuse?.();
    this.#emitter[Symbol.dispose]();
  }

  /** See {@linkcode SocketReceiver.close}. */
  async [Symbol.asyncDispose](): Promise<void> {
    await this.close();
  }

  #take(
    sockets: readonly ReceivedSocket[],
    notes: readonly TransferredSocket[],
    peer: PeerCredentials | null,
  ): void {
    for (const [index, socket] of sockets.entries()) {
      if (this.#phase === "closed") {
        socket.close();
        continue;
      }
      const { kind, local, remote, unread } = notes[index]!;
      const waiter = this.#waiters.shift();
      if (waiter === undefined) this.#waiting.push(socket);
      else waiter.resolve(socket);
      this.#emitter.emit({
        type: "received",
        socket: { kind, local, remote, unread },
        pid: peer?.pid ?? null,
      });
    }
  }

  #refused({ code, reason }: Trouble, peer: PeerCredentials | null): void {
    const pid = peer?.pid ?? null;
    this.#emitter.emit({ type: "refused", code, reason, by: "us", pid });
  }

  async #whenRoom(signal: AbortSignal): Promise<void> {
    while (this.#waiting.length >= this.#waitingMax && !signal.aborted) {
      this.#room ??= Promise.withResolvers();
      await this.#room.promise;
    }
  }

  #end(): void {
    if (this.#phase !== "open") return;
    this.#phase = "ended";
    this.#release();
  }

  #release(): void {
    this.#room?.resolve();
    for (const waiter of this.#waiters.splice(0)) waiter.reject(this.#over());
  }

  #over(): Error {
    return new Deno.errors.BadResource(
      this.#phase === "ended"
        ? "Cannot receive a socket: the only sender is gone"
        : "Cannot receive a socket: the receiver is closed",
    );
  }
}

/**
 * Receives sockets that other processes give away: at a path, where any process
 * of the same user may connect (`--allow-ffi`, and reading and writing the
 * path's folder, which nobody else may enter), or from the parent process over
 * node's channel, which needs no permission. `state.mode` says which.
 *
 * What arrives is looked at by the kernel's word before it is acknowledged;
 * what is not as announced, or not wanted, is refused and closed. See
 * {@linkcode sendSocket} for an example.
 *
 * @throws {HandoffError} `handoff/insecure-path` when others may enter the
 *   folder, `handoff/not-supported` without FFI.
 * @throws {Deno.errors.AddrInUse} When another process listens there.
 */
export function receiveSockets(
  source: ReceiveSource,
  options: ReceiveOptions = {},
): SocketReceiver {
  options.signal?.throwIfAborted();
  return new SocketReceiver(source, options);
}
