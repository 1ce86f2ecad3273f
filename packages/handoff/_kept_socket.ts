import type { Server } from "node:net";
import {
  handleOf,
  handles,
  KIND_LISTENER,
  type RawHandle,
} from "./_handles.ts";

/**
 * A listening socket held open without accepting from it, and the source of
 * descriptors for acceptors and for other processes.
 */
export class KeptSocket {
  readonly #handle: RawHandle;

  private constructor(handle: RawHandle) {
    this.#handle = handle;
  }

  /** Keeps the socket of a listening server; `undefined` where that cannot be done. */
  static from(server: Server): KeptSocket | undefined {
    const all = handles();
    const fd = handleOf(server)?.fdForIpc() ?? -1;
    if (all === undefined || fd < 0) return undefined;
    // The TCP handle holds a Unix listener as well.
    const kept = new all.TCP(KIND_LISTENER);
    if (kept.open(fd) !== 0) return undefined;
    return new KeptSocket(kept);
  }

  /**
   * A descriptor of the socket that the caller owns, closed on exec.
   *
   * @throws {Error} With code `EMFILE` when the process has none left.
   */
  duplicate(): number {
    const fd = this.#handle.fdForIpc();
    if (fd >= 0) return fd;
    throw Object.assign(
      new Error(
        "Cannot duplicate a listening socket: this process has no descriptor left: close some, or raise its limit (ulimit -n)",
      ),
      { code: "EMFILE" },
    );
  }

  /**
   * Closes what {@linkcode duplicate} gave, and makes the socket non-blocking
   * again. Starting a process clears `O_NONBLOCK`, which all descriptors of
   * one socket share: this process would then hang in its next accept, event
   * loop and all, until somebody connects.
   */
  release(fd: number): void {
    const handle = new (handles()!.TCP)(KIND_LISTENER);
    handle.open(fd);
    handle.close();
  }

  /** Closes this process's hold on the socket. */
  close(): void {
    this.#handle.close();
  }
}
