/** The sending end of node's channel; see `_ipc.ts`. */
import type { ChildProcess } from "node:child_process";
import { createSocket } from "node:dgram";
import {
  handles,
  KIND_CONN,
  KIND_LISTENER,
  type RawHandle,
} from "./_handles.ts";
import {
  IPC_VERSION,
  type IpcAnswer,
  type IpcOffer,
  parseAnswer,
} from "./_ipc.ts";
import { notSupported } from "./_not_supported.ts";
import { isListener } from "./_socket_kind.ts";
import {
  type DetachedSocket,
  handleIn,
  takeHandle,
} from "./detached_socket.ts";
import { sendError } from "./_send_error.ts";
import type { HandoffError } from "./error.ts";

interface Entry {
  readonly socket: DetachedSocket;
  /** Closes the copy, where `child.send` does not. */
  readonly done: () => void;
  resolve(): void;
  reject(error: HandoffError): void;
  timer: ReturnType<typeof setTimeout>;
}

/** See `_ipc.ts`. */
export class IpcSender {
  readonly #child: ChildProcess;
  readonly #timeoutMs: number;
  readonly #entries: Map<number, Entry> = new Map();
  #lastId = 0;
  #closed = false;
  #sending: Promise<unknown> = Promise.resolve();

  constructor(child: ChildProcess, timeoutMs: number) {
    this.#child = child;
    this.#timeoutMs = timeoutMs;
    child.on("message", this.#onMessage);
    child.on("disconnect", this.#onEnd);
    child.on("exit", this.#onEnd);
  }

  get closed(): boolean {
    return this.#closed || !this.#child.connected;
  }

  /**
   * Sends one socket; resolves when the child says that it has it. One after
   * the other: a handle must never share a packet with anything.
   */
  send(socket: DetachedSocket, meta: unknown): Promise<void> {
    const sent = this.#sending.then(() => this.#send(socket, meta));
    this.#sending = sent.catch(() => {});
    return sent;
  }

  async close(): Promise<void> {
    await this.#sending;
    this.#closed = true;
    this.#child.off("message", this.#onMessage);
    this.#child.off("disconnect", this.#onEnd);
    this.#child.off("exit", this.#onEnd);
  }

  #send(socket: DetachedSocket, meta: unknown): Promise<void> {
    const id = ++this.#lastId;
    const handle = copyOf(socket);
    const offer: IpcOffer = {
      holdfast: IPC_VERSION,
      id,
      kind: socket.kind,
      unread: socket.unread.toBase64(),
      meta,
    };
    return new Promise((resolve, reject) => {
      if (this.closed) {
        handle.close();
        return reject(
          sendError("handoff/peer-gone", "its channel is closed", [socket]),
        );
      }
      const timer = setTimeout(() => {
        this.#settle(id);
        // It may have it: the only way to be sure is to end the child.
        reject(
          sendError("handoff/timed-out", "it did not answer", [socket], true),
        );
      }, this.#timeoutMs);
      const done = socket.kind === "udp" ? () => handle.close() : () => {};
      this.#entries.set(id, { socket, done, resolve, reject, timer });
      this.#child.send(offer as never, handle.sendable as never, (error) => {
        if (error) {
          this.#settle(id)?.reject(
            sendError("handoff/peer-gone", error.message, [socket]),
          );
        }
      });
    });
  }

  readonly #onMessage = (message: unknown): void => {
    const answer: IpcAnswer | undefined = parseAnswer(message);
    if (answer === undefined) return;
    if ("taken" in answer) {
      const entry = this.#settle(answer.taken);
      if (entry === undefined) return;
      takeHandle(entry.socket).close();
      return entry.resolve();
    }
    const entry = this.#settle(answer.refused);
    entry?.reject(sendError(answer.code, answer.reason, [entry.socket]));
  };

  readonly #onEnd = (): void => {
    for (const id of [...this.#entries.keys()]) {
      const { socket, reject } = this.#settle(id)!;
      reject(sendError("handoff/peer-gone", "it has ended", [socket]));
    }
  };

  #settle(id: number): Entry | undefined {
    const entry = this.#entries.get(id);
    this.#entries.delete(id);
    clearTimeout(entry?.timer);
    entry?.done();
    return entry;
  }
}

/** A duplicate in the form that `child.send` takes; it closes it when sent. */
function copyOf(socket: DetachedSocket): {
  readonly sendable: unknown;
  close(): void;
} {
  const all = handles();
  if (all === undefined) throw notSupported("send a socket");
  const fd = handleIn(socket).fdForIpc();
  if (fd < 0) throw notSupported("duplicate a socket");
  const { kind } = socket;
  if (kind === "udp") {
    const handle = new all.UDP();
    handle.open(fd);
    // It must not receive here: datagrams go to whoever reads first.
    Object.assign(handle, { recvStart: () => 0 });
    const datagram = createSocket("udp4");
    datagram.bind(handle as never);
    return { sendable: datagram, close: () => datagram.close() };
  }
  const Class = kind.startsWith("unix") ? all.Pipe : all.TCP;
  const handle: RawHandle = new Class(
    isListener(kind) ? KIND_LISTENER : KIND_CONN,
  );
  handle.open(fd);
  return { sendable: handle, close: () => handle.close() };
}
