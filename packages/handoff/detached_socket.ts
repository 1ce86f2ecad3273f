import type { RawHandle } from "./_handles.ts";
import type { SocketAddr, SocketKind } from "./_socket_kind.ts";
import { badResource } from "./_os_errors.ts";

/** What a {@linkcode DetachedSocket} is made of. */
export interface DetachedSocketParts {
  /** What it is. */
  readonly kind: SocketKind;
  /** Its own address; `null` when nobody can say. */
  readonly localAddr: SocketAddr | null;
  /** Its peer's address, for a connection. */
  readonly remoteAddr: SocketAddr | null;
  /** Bytes that were read from it and not used. */
  readonly unread?: Uint8Array | undefined;
}

// Set by the class itself, which alone may.
let markTaken: (socket: DetachedSocket) => void;
// Outside the class, so that handles are no part of its API.
const held: WeakMap<DetachedSocket, RawHandle> = new WeakMap();

/**
 * A socket without a reader: one descriptor, and the bytes that were read from
 * it and that nobody has used. Adopt it here, send it to another process, or
 * pass it to one that you start. It is open until one of these takes it, or
 * until it is closed; closing it does not shut a connection down, which goes on
 * for as long as another process holds it.
 */
export class DetachedSocket implements Disposable {
  /** The descriptor. It belongs to this object: do not close it yourself. */
  readonly fd: number;
  /** What it is. */
  readonly kind: SocketKind;
  /** Its own address; `null` when nobody can say. */
  readonly localAddr: SocketAddr | null;
  /** Its peer's address, for a connection. */
  readonly remoteAddr: SocketAddr | null;
  /** Bytes that were read from it and not used; they come before all others. */
  readonly unread: Uint8Array;
  #closed = false;

  /** Use `detach`, `receiveSockets` or `inheritedSockets`. */
  constructor(handle: object, fd: number, parts: DetachedSocketParts) {
    held.set(this, handle as RawHandle);
    this.fd = fd;
    this.kind = parts.kind;
    this.localAddr = parts.localAddr;
    this.remoteAddr = parts.remoteAddr;
    this.unread = parts.unread ?? new Uint8Array();
  }

  /** Whether it was closed or taken. */
  get closed(): boolean {
    return this.#closed;
  }

  /**
   * Closes this process's hold on it. A connection is not shut down: the peer
   * sees its end when the last process has closed it.
   *
   * @throws {Deno.errors.BadResource} When it is closed or taken already.
   */
  close(): void {
    takeHandle(this).close();
  }

  /**
   * Another descriptor of the same socket. For a listener, or to keep a hold on
   * a connection that is given away: two that read from one steal from each
   * other.
   *
   * @throws {Deno.errors.BadResource} When it is closed or taken already, or
   *   this process has no descriptor left.
   */
  duplicate(): DetachedSocket {
    const fd = handleIn(this).fdForIpc();
    const copy = fd < 0 ? undefined : new (handleIn(this).constructor as new (
      kind: number,
    ) => RawHandle)(this.kind.endsWith("listener") ? 1 : 0);
    if (copy?.open(fd) !== 0) {
      throw badResource(
        "Cannot duplicate a socket: this process has no descriptor left: close some, or raise its limit (ulimit -n)",
      );
    }
    return new DetachedSocket(copy, fd, this);
  }

  /** Closes it unless it was closed or taken. */
  [Symbol.dispose](): void {
    if (!this.#closed) this.close();
  }

  static {
    markTaken = (socket) => socket.#closed = true;
  }
}

/** For this package: the handle, which this process goes on holding. */
export function handleIn(socket: DetachedSocket): RawHandle {
  const handle = held.get(socket);
  if (handle === undefined) {
    throw badResource("The socket was closed, adopted or sent already");
  }
  return handle;
}

/** For this package: takes the handle out; the socket counts as closed. */
export function takeHandle(socket: DetachedSocket): RawHandle {
  const handle = handleIn(socket);
  held.delete(socket);
  markTaken(socket);
  return handle;
}
