/**
 * One end of a Unix stream socket that carries frames and descriptors: unix(7),
 * sendmsg(2), recvmsg(2), by FFI. Deno must never read from it: descriptors
 * would be lost.
 */
import { setImmediate } from "node:timers";
import { beforeUnload, type Libc, memory } from "./_libc.ts";
import {
  controlSpace,
  readMsghdr,
  readRights,
  writeMsghdr,
  writeRights,
} from "./_libc_layout.ts";
import { pollerOf, POLLIN, POLLOUT } from "./_poller.ts";
import { peerCredentials } from "./_kernel_socket.ts";
import {
  badFrame,
  DESCRIPTORS_MAX,
  type Frame,
  FrameDecoder,
} from "./_transfer_frame.ts";

const READ_BYTES = 64 * 1024;
const IOVEC_BYTES = 16;
/** Turns of the event loop to look again before a thread is asked to wait. */
const SPINS = 8;

/** A frame and what came with it. */
export interface Arrived {
  readonly frame: Frame;
  /** Descriptors that this process owns now. */
  readonly fds: readonly number[];
}

/** See the top of the file. */
export class Channel {
  readonly fd: number;
  readonly #libc: Libc;
  readonly #decoder: FrameDecoder;
  readonly #closing: AbortController = new AbortController();
  readonly #arrived: Arrived[] = [];
  readonly #fds: number[] = [];
  readonly #message: Message;
  #closed = false;
  #broken: unknown;
  #spins = SPINS;

  constructor(libc: Libc, fd: number, tailBytesMax: number) {
    this.fd = fd;
    this.#libc = libc;
    this.#decoder = new FrameDecoder(tailBytesMax);
    this.#message = message ??= new Message(libc);
    const { call, layout } = libc;
    const F_SETFD = 2, F_SETFL = 4, FD_CLOEXEC = 1;
    call.fcntl(fd, F_SETFD, FD_CLOEXEC);
    call.fcntl(fd, F_SETFL, layout.O_NONBLOCK);
  }

  get closed(): boolean {
    return this.#closed;
  }

  /** Whether a frame has begun and is not whole. */
  get partial(): boolean {
    return this.#decoder.partial;
  }

  /** Who is at the other end. */
  get peer(): ReturnType<typeof peerCredentials> {
    return peerCredentials(this.#libc, this.fd);
  }

  /**
   * Writes as much as the kernel takes now; descriptors go with the first
   * byte. Negative: the error's number, negated.
   */
  trySend(bytes: Uint8Array<ArrayBuffer>, fds: readonly number[]): number {
    if (this.#closed) return -32; // EPIPE
    return this.#message.send(this.fd, bytes, fds);
  }

  /** Writes all of it; false when the other end is gone. */
  async send(
    bytes: Uint8Array<ArrayBuffer>,
    fds: readonly number[],
    signal: AbortSignal,
  ): Promise<boolean> {
    let at = 0;
    while (true) {
      const count = this.trySend(bytes.subarray(at), at === 0 ? fds : []);
      if (count >= 0) {
        at += count;
        if (at === bytes.byteLength) return true;
      } else if (count === -this.#libc.layout.EAGAIN) {
        await this.#wait(POLLOUT, signal);
        signal.throwIfAborted();
      } else return false;
    }
  }

  /**
   * The next frame; `null` at the end.
   *
   * @throws {HandoffError} `handoff/bad-bytes`
   * @throws The reason of `signal`.
   */
  async receive(signal: AbortSignal): Promise<Arrived | null> {
    while (true) {
      const next = this.#arrived.shift();
      if (next !== undefined) return next;
      if (this.#broken !== undefined) throw this.#broken;
      signal.throwIfAborted();
      const state = this.read();
      if (state === "ended") return null;
      if (state === "empty") await this.#waitToRead(signal);
      else this.#spins = SPINS;
    }
  }

  /** Whether a frame is here, or can be read without waiting. */
  ready(): boolean {
    if (this.#arrived.length > 0 || this.#broken !== undefined) return true;
    try {
      return this.read() === "some" && this.#arrived.length > 0;
    } catch (error) {
      this.#broken = error; // For the next receive() to tell.
      return true;
    }
  }

  /** Reads once; what it completes waits in {@linkcode receive}. */
  read(): "some" | "empty" | "ended" {
    if (this.#closed) return "ended";
    const got = this.#message.receive(this.fd);
    if (got.count < 0) {
      return got.count === -this.#libc.layout.EAGAIN ? "empty" : "ended";
    }
    this.#fds.push(...got.fds);
    if (got.count === 0) return "ended";
    if (got.truncated) {
      // The kernel dropped some: this process has no descriptor left for them.
      throw badFrame("descriptors were lost: this process may have no more");
    }
    for (const frame of this.#decoder.push(got.bytes)) {
      const count = frame.type === "sockets" ? frame.descriptors : 0;
      const fds = this.#fds.splice(0, count);
      this.#arrived.push({ frame, fds });
      if (fds.length < count) throw badFrame("descriptors are missing");
    }
    if (this.#fds.length > 0 && !this.#decoder.partial) {
      throw badFrame("descriptors came that no frame announced");
    }
    return "some";
  }

  /** What has arrived and was not received. */
  arrived(): Arrived[] {
    return this.#arrived.splice(0);
  }

  /** Says that no more is read or written; what has arrived can be read. */
  shutdown(): void {
    const SHUT_RDWR = 2;
    if (!this.#closed) this.#libc.call.shutdown(this.fd, SHUT_RDWR);
  }

  /** Closes it and every descriptor that nobody took. */
  close(): void {
    if (this.#closed) return;
    this.#closed = true;
    this.#closing.abort();
    const { call } = this.#libc;
    for (const { fds } of this.#arrived.splice(0)) this.#fds.push(...fds);
    for (const fd of this.#fds.splice(0)) call.close(fd);
    call.close(this.fd);
  }

  async #waitToRead(signal: AbortSignal): Promise<void> {
    // Under load the next message is a few turns away; a thread is further.
    if (this.#spins-- > 0) {
      await new Promise((resolve) => setImmediate(resolve));
    } else await this.#wait(POLLIN, signal);
  }

  async #wait(events: number, signal: AbortSignal): Promise<void> {
    const any = AbortSignal.any([signal, this.#closing.signal]);
    await pollerOf(this.#libc).wait(this.fd, events, any);
  }
}

// One for the process: each call fills it and is done with it.
let message: Message | undefined;
beforeUnload(() => message = undefined);

/** The C structures of one message, made once. */
class Message {
  readonly #libc: Libc;
  readonly #header: Uint8Array<ArrayBuffer>;
  readonly #vector: Uint8Array<ArrayBuffer> = memory(IOVEC_BYTES);
  readonly #control: Uint8Array<ArrayBuffer>;
  readonly #data: Uint8Array<ArrayBuffer> = memory(READ_BYTES);
  readonly #at: { vector: bigint; control: bigint; data: bigint };
  readonly #views: { header: DataView; vector: DataView; control: DataView };

  constructor(libc: Libc) {
    const { call, layout } = libc;
    this.#libc = libc;
    this.#header = memory(layout.msghdr.bytes);
    // Room for as many as may come: what does not fit is lost.
    this.#control = memory(controlSpace(layout, DESCRIPTORS_MAX));
    const at = (bytes: Uint8Array<ArrayBuffer>): bigint =>
      BigInt(call.address(bytes, bytes, 0n));
    this.#at = {
      vector: at(this.#vector),
      control: at(this.#control),
      data: at(this.#data),
    };
    this.#views = {
      header: new DataView(this.#header.buffer),
      vector: new DataView(this.#vector.buffer),
      control: new DataView(this.#control.buffer),
    };
  }

  send(
    fd: number,
    bytes: Uint8Array<ArrayBuffer>,
    fds: readonly number[],
  ): number {
    const { call, layout } = this.#libc;
    const some = bytes.subarray(0, READ_BYTES);
    this.#data.set(some);
    const controlBytes = fds.length === 0
      ? 0
      : writeRights(layout, this.#views.control, fds);
    this.#fill(some.byteLength, controlBytes);
    const flags = layout.MSG_DONTWAIT | layout.MSG_NOSIGNAL;
    const count = Number(call.sendmsg(fd, this.#header, flags));
    return count >= 0 ? count : -this.#libc.errno();
  }

  receive(fd: number): {
    readonly count: number;
    readonly bytes: Uint8Array;
    readonly fds: readonly number[];
    readonly truncated: boolean;
  } {
    const { call, layout } = this.#libc;
    this.#fill(READ_BYTES, this.#control.byteLength);
    const flags = layout.MSG_DONTWAIT | layout.MSG_CMSG_CLOEXEC;
    const count = Number(call.recvmsg(fd, this.#header, flags));
    if (count < 0) {
      const error = -this.#libc.errno();
      return { count: error, bytes: memory(0), fds: [], truncated: false };
    }
    const after = readMsghdr(layout, this.#views.header);
    const fds = after.controlBytes === 0
      ? []
      : readRights(layout, this.#views.control, after.controlBytes);
    if (layout.MSG_CMSG_CLOEXEC === 0) this.#closeOnExec(fds);
    return {
      count,
      bytes: this.#data.subarray(0, count),
      fds,
      truncated: (after.flags & layout.MSG_CTRUNC) !== 0,
    };
  }

  #fill(dataBytes: number, controlBytes: number): void {
    const { vector } = this.#views;
    vector.setBigUint64(0, this.#at.data, true);
    vector.setBigUint64(8, BigInt(dataBytes), true);
    writeMsghdr(this.#libc.layout, this.#views.header, {
      iov: this.#at.vector,
      iovCount: 1,
      control: this.#at.control,
      controlBytes,
    });
  }

  /** macOS has no flag for it: right after, as close as it can be. */
  #closeOnExec(fds: readonly number[]): void {
    const F_SETFD = 2, FD_CLOEXEC = 1;
    for (const fd of fds) this.#libc.call.fcntl(fd, F_SETFD, FD_CLOEXEC);
  }
}
