import { checkNumber } from "./_options.ts";
import { TIMER_MAX_MS } from "./_pause.ts";
import { RecoveryError } from "./errors.ts";

/** Options for {@linkcode latched}. */
export interface LatchedOptions {
  /**
   * Whether it may still be written to once the other side has ended.
   *
   * @default {false}
   */
  readonly halfOpen?: boolean | undefined;
}

/** A connection that says the same thing on both sides; see {@linkcode latched}. */
export interface Latched extends Disposable {
  /** As `Deno.Conn.read`, but an error that a write met comes first. */
  read(buffer: Uint8Array): Promise<number | null>;
  /** As `Deno.Conn.write`, but fails once the other side has ended. */
  write(bytes: Uint8Array): Promise<number>;
  /**
   * Ends both sides so that nothing that was sent is lost: says that no more
   * comes, reads until the other side says it too, then closes. Closing with
   * input unread makes the kernel reset the connection, and the other side may
   * lose what it has not read yet (RFC 2525 §2.17).
   *
   * @param limits How long and how much it goes on reading, 5 s and 1 MiB by
   * default.
   * @returns Whether the other side ended in time.
   * @throws {RangeError} When a limit is out of bounds; the connection is open.
   */
  finish(limits?: {
    readonly deadlineMs?: number;
    readonly bytes?: number;
  }): Promise<boolean>;
  /** Closes it at once. */
  close(): void;
}

/**
 * Wraps a connection so that its end is told truly. A reset is reported by the
 * kernel once: where a write met it, the next read gives `null`, as after a
 * clean end; and after the end of the other side writes go on succeeding into
 * nothing. Here the first error stays, and writes to one who ended fail.
 *
 * ```ts
 * import { latched } from "@holdfast/recovery";
 * import { assertEquals, assertRejects } from "@std/assert";
 *
 * using listener = Deno.listen({ hostname: "127.0.0.1", port: 0 });
 * using conn = latched(await Deno.connect({ hostname: "127.0.0.1", port: listener.addr.port }));
 * (await listener.accept()).close();
 * assertEquals(await conn.read(new Uint8Array(1)), null);
 * await assertRejects(() => conn.write(new Uint8Array(1)), Error, "has ended");
 * ```
 */
export function latched(
  conn: Pick<Deno.Conn, "close" | "closeWrite" | "read" | "write">,
  options: LatchedOptions = {},
): Latched {
  return new LatchedConn(conn, options.halfOpen ?? false);
}

class LatchedConn implements Latched {
  readonly #conn: Pick<Deno.Conn, "close" | "closeWrite" | "read" | "write">;
  readonly #halfOpen: boolean;
  #failed: { readonly error: unknown } | undefined;
  #ended = false;
  #closed = false;

  constructor(
    conn: Pick<Deno.Conn, "close" | "closeWrite" | "read" | "write">,
    halfOpen: boolean,
  ) {
    this.#conn = conn;
    this.#halfOpen = halfOpen;
  }

  async read(buffer: Uint8Array): Promise<number | null> {
    if (this.#failed) throw this.#failed.error;
    const count = await this.#keep(() => this.#conn.read(buffer));
    // Read to the end while a write met the reset.
    const { error } = this.#failure() ?? {};
    if (count === null && error !== undefined) throw error;
    if (count === null) this.#ended = true;
    return count;
  }

  async write(bytes: Uint8Array): Promise<number> {
    if (this.#failed) throw this.#failed.error;
    if (this.#ended && !this.#halfOpen) {
      throw new RecoveryError(
        "recovery/peer-ended",
        "Cannot write: the other side has ended: connect again, or pass halfOpen: true where its protocol ends one side first",
      );
    }
    return await this.#keep(() => this.#conn.write(bytes));
  }

  async finish(
    { deadlineMs = 5_000, bytes = 1 << 20 }: {
      readonly deadlineMs?: number;
      readonly bytes?: number;
    } = {},
  ): Promise<boolean> {
    checkNumber("finish", "deadlineMs", deadlineMs, 0, TIMER_MAX_MS);
    checkNumber("finish", "bytes", bytes, 0);
    const timer = setTimeout(() => this.close(), deadlineMs);
    try {
      await this.#conn.closeWrite();
      const buffer = new Uint8Array(16_384);
      for (let left = bytes; !this.#ended && left > 0;) {
        left -= await this.read(buffer) ?? 0;
      }
      return this.#ended;
    } catch {
      return false;
    } finally {
      clearTimeout(timer);
      this.close();
    }
  }

  close(): void {
    if (this.#closed) return;
    this.#closed = true;
    try {
      this.#conn.close();
    } catch {
      // It is closed.
    }
  }

  [Symbol.dispose](): void {
    this.close();
  }

  #failure(): { readonly error: unknown } | undefined {
    return this.#failed;
  }

  async #keep<R>(run: () => Promise<R>): Promise<R> {
    try {
      return await run();
    } catch (error) {
      if (!this.#closed) this.#failed ??= { error };
      throw error;
    }
  }
}
