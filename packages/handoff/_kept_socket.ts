import type { Server } from "node:net";
import { HandoffError } from "./error.ts";

/**
 * What this file uses of the handle behind a `node:net` server. It is an
 * internal of Deno's (and Node's) `net`, so every use is tested first; tests
 * pin it for each version of Deno.
 */
interface Handle {
  /** A duplicate descriptor that the caller owns; negative when impossible. */
  fdForIpc(): number;
  /** Takes a descriptor over and sets `O_NONBLOCK`; 0 is success. */
  open(fd: number): number;
  close(): void;
  readonly constructor: new (kind: number) => Handle;
}

const KIND_SERVER = 1;

/** The best that is left where descriptors cannot be passed. */
export function notSupported(what: string): HandoffError {
  const why = Deno.build.os === "windows"
    ? "Windows hands sockets over in another way"
    : `Deno ${Deno.version.deno} does not show the descriptors of its servers`;
  return new HandoffError(
    "handoff/not-supported",
    `Cannot ${what}: ${why}: keep the listener in a parent process and proxy its connections, or let the next process listen with SO_REUSEPORT before this one closes`,
  );
}

function handleOf(server: Server): Handle | undefined {
  const handle = (server as unknown as { _handle?: Partial<Handle> | null })
    ._handle;
  return typeof handle?.fdForIpc === "function" &&
      typeof handle.open === "function" && typeof handle.close === "function"
    ? handle as Handle
    : undefined;
}

/**
 * A listening socket held open without accepting from it, and the source of
 * descriptors for acceptors and for other processes.
 */
export class KeptSocket {
  readonly #handle: Handle;

  private constructor(handle: Handle) {
    this.#handle = handle;
  }

  /** Keeps the socket of a listening server; `undefined` where that cannot be done. */
  static from(server: Server): KeptSocket | undefined {
    const handle = handleOf(server);
    const fd = handle?.fdForIpc() ?? -1;
    if (handle === undefined || fd < 0) return undefined;
    const kept = new handle.constructor(KIND_SERVER);
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
    const handle = new this.#handle.constructor(KIND_SERVER);
    handle.open(fd);
    handle.close();
  }

  /** Closes this process's hold on the socket. */
  close(): void {
    this.#handle.close();
  }
}
