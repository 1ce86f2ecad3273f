/**
 * Waiting for descriptors that Deno does not know of: one poll(2) on one
 * thread for the whole process, however many wait. (A call of its own for each
 * would hold a thread of Deno's pool, which has 512, and starve file reads.)
 */
import { beforeUnload, type Libc, memory } from "./_libc.ts";

const POLLFD_BYTES = 8;
/** Events of poll(2); the same on Linux and macOS. */
export const POLLIN = 1;
/** See {@linkcode POLLIN}. */
export const POLLOUT = 4;

interface Waiter {
  readonly fd: number;
  readonly events: number;
  resolve(): void;
}

class Poller {
  readonly #libc: Libc;
  readonly #waiters: Set<Waiter> = new Set();
  readonly #wakeFds: Int32Array<ArrayBuffer> = new Int32Array(
    new ArrayBuffer(8),
  );
  #polling: Promise<void> | undefined;

  constructor(libc: Libc) {
    this.#libc = libc;
    const { call, layout } = libc;
    call.pipe(new Uint8Array(this.#wakeFds.buffer));
    const F_SETFD = 2, F_SETFL = 4, FD_CLOEXEC = 1;
    for (const fd of this.#wakeFds) {
      call.fcntl(fd, F_SETFD, FD_CLOEXEC);
      call.fcntl(fd, F_SETFL, layout.O_NONBLOCK);
    }
  }

  /** Resolves when the descriptor is ready or broken, or `signal` aborts. */
  async wait(fd: number, events: number, signal: AbortSignal): Promise<void> {
    if (signal.aborted) return;
    const { promise, resolve } = Promise.withResolvers<void>();
    const waiter = { fd, events, resolve };
    this.#waiters.add(waiter);
    const cancel = (): void => {
      this.#waiters.delete(waiter);
      this.#wake();
      resolve();
    };
    signal.addEventListener("abort", cancel, { once: true });
    this.#wake();
    this.#polling ??= this.#poll().finally(() => this.#polling = undefined);
    await promise;
    signal.removeEventListener("abort", cancel);
  }

  /** Resolves when no call is under way, as after the last `wait` ended. */
  async idle(): Promise<void> {
    while (this.#polling !== undefined && this.#waiters.size === 0) {
      await this.#polling;
    }
  }

  close(): void {
    for (const fd of this.#wakeFds) this.#libc.call.close(fd);
  }

  #wake(): void {
    if (this.#polling === undefined) return;
    this.#libc.call.write(this.#wakeFds[1]!, memory(1), 1n);
  }

  async #poll(): Promise<void> {
    const { call } = this.#libc;
    const drained = memory(64);
    while (this.#waiters.size > 0) {
      const waiters = [...this.#waiters];
      const table = memory((waiters.length + 1) * POLLFD_BYTES);
      const view = new DataView(table.buffer);
      const put = (index: number, fd: number, events: number): void => {
        view.setInt32(index * POLLFD_BYTES, fd, true);
        view.setInt16(index * POLLFD_BYTES + 4, events, true);
      };
      put(0, this.#wakeFds[0]!, POLLIN);
      waiters.forEach(({ fd, events }, i) => put(i + 1, fd, events));
      await call.poll(table, BigInt(waiters.length + 1), -1);
      const came = (index: number): number =>
        view.getInt16(index * POLLFD_BYTES + 6, true);
      if (came(0) !== 0) {
        while (call.read(this.#wakeFds[0]!, drained, 64n) > 0n);
      }
      waiters.forEach((waiter, index) => {
        if (came(index + 1) !== 0 && this.#waiters.delete(waiter)) {
          waiter.resolve();
        }
      });
    }
  }
}

let poller: Poller | undefined;
beforeUnload(() => {
  poller?.close();
  poller = undefined;
});

/** The poller of this process. */
export function pollerOf(library: Libc): Poller {
  return poller ??= new Poller(library);
}

/** Resolves when nothing of the poller is under way, for those who close. */
export async function pollerIdle(): Promise<void> {
  await poller?.idle();
}

export type { Poller };
