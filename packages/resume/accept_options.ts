import type { StreamOptions } from "./_options.ts";
import type { SessionStore } from "./store.ts";
import type { Transport } from "./transport.ts";

/** Where a server's transports come from: a `Deno.Listener`, or anything like it. */
export interface TransportSource {
  /** The next transport. Rejects for good once the source is closed. */
  accept(): Promise<Transport>;
  /** Ends the source. */
  close(): void;
  /** The address it listens on, if it has one. */
  readonly addr?: Deno.Addr | undefined;
}

/** Limits of a server; what goes beyond is refused, and live sessions are not harmed. */
export interface ServerLimits {
  /**
   * How many sessions there may be, attached or not.
   *
   * @default {10_000}
   */
  readonly sessionsMax?: number | undefined;
  /**
   * How many handshakes may be under way.
   *
   * @default {256}
   */
  readonly handshakesMax?: number | undefined;
  /**
   * How many of them may come from one address.
   *
   * @default {64}
   */
  readonly handshakesPerAddressMax?: number | undefined;
  /**
   * How many sessions may wait for a transport; those that wait longest go
   * first.
   *
   * @default {5_000}
   */
  readonly detachedMax?: number | undefined;
  /**
   * How many sessions may be opened with one pre-shared key.
   *
   * @default {sessionsMax}
   */
  readonly sessionsPerKeyMax?: number | undefined;
  /**
   * How many bytes all streams together may hold, written and not
   * acknowledged, or arrived and not read. Past it a stream with 4 KiB or more
   * to be acknowledged waits to write, new sessions are refused, and sessions
   * end that lose their transport. It does not stop what clients send: each may
   * have `receiveWindowBytes` ahead of the program's reads.
   *
   * @default {536_870_912}
   */
  readonly memoryMaxBytes?: number | undefined;
}

/** Who wants to open or to resume a session. */
export interface AuthorizeRequest {
  /** What it wants. */
  readonly kind: "open" | "resume";
  /** The public id of the session. */
  readonly sid: string;
  /** The name of its pre-shared key, proven; empty without one. */
  readonly keyId: Uint8Array<ArrayBuffer>;
  /** Where it comes from, if the transport knows. */
  readonly remoteAddr: Deno.Addr | undefined;
}

/** Options for {@linkcode acceptResumable}. */
export interface AcceptOptions extends StreamOptions {
  /** Closes the server when aborted. */
  readonly signal?: AbortSignal | undefined;
  /**
   * How long a session without a transport is kept, in milliseconds.
   *
   * @default {120_000}
   */
  readonly ttlMs?: number | undefined;
  /**
   * Finds the pre-shared key of a name that a client sent, at least 16 bytes.
   * With it, sessions without a key that it knows are refused; without it,
   * those that name one.
   */
  readonly presharedKey?:
    | ((
      keyId: Uint8Array<ArrayBuffer>,
    ) =>
      | Uint8Array<ArrayBuffer>
      | undefined
      | Promise<Uint8Array<ArrayBuffer> | undefined>)
    | undefined;
  /**
   * Asked whenever a session is opened or resumed, after its proof was good:
   * what was allowed once need not be allowed now. Who is refused is told so,
   * and gives up.
   */
  readonly authorize?:
    | ((request: AuthorizeRequest) => boolean | Promise<boolean>)
    | undefined;
  /** See {@linkcode ServerLimits}. */
  readonly limits?: ServerLimits | undefined;
  /**
   * Keeps sessions outside this process, so that they outlive it, even if it is
   * killed: a server with the same store goes on with them when their clients
   * come back. Nothing is acknowledged or sent that the store does not have.
   * It stays the caller's: close it after the server.
   *
   * @default {undefined}
   */
  readonly store?: SessionStore | undefined;
  /**
   * What a store keeps of a connection: with `"auto"` where the program stands,
   * as `bytesRead` and `bytesWritten` tell when it goes on; with `"manual"`
   * only what the program commits by {@linkcode ResumableConn.commit}, together
   * with its own state: then it goes on exactly there, and what it read later
   * is read again, and what it wrote later was never sent.
   *
   * @default {"auto"}
   */
  readonly commits?: "auto" | "manual" | undefined;
  /** Sessions of {@linkcode ResumeServer.suspend}, to go on with. */
  readonly restore?: Uint8Array | undefined;
}
