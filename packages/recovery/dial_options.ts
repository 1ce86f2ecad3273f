import type { BackoffOptions } from "./backoff.ts";
import type { FamilyMemory } from "./family_memory.ts";
import type { ResolveOptions } from "./resolve.ts";
import type { Verdict } from "./verdict.ts";

/** Where to connect to. */
export interface DialTarget {
  /** A name or an address. */
  readonly hostname: string;
  /** The port, from 1 to 65 535. */
  readonly port: number;
}

/** The least that a connection must be able to do: to be closed again. */
export interface Closable {
  /** Closes the connection, now or soon; what it throws is ignored. */
  close(): unknown;
}

/** What an attempt is given beside its target. */
export interface ConnectContext {
  /** Aborted when the attempt has taken too long, lost, or was cancelled. */
  readonly signal: AbortSignal;
}

/**
 * Makes one connection. It need not obey the signal: what it brings after
 * that is closed.
 */
export type Connector<T, C> = (
  target: T,
  context: ConnectContext,
) => Promise<C>;

/** What happened to one attempt of a dial. A plain object. */
export type AttemptEvent =
  | {
    readonly type: "attempt-started";
    /** `host:port`. */
    readonly target: string;
    /** How many attempts this target had before. */
    readonly number: number;
  }
  | {
    readonly type: "attempt-failed";
    /** `host:port`. */
    readonly target: string;
    /** How many attempts this target had before. */
    readonly number: number;
    /** What {@linkcode classify} says of the error. */
    readonly verdict: Verdict;
    /** The message of the error. */
    readonly message: string;
    /** The wait before the next attempt; undefined when there is none. */
    readonly retryInMs: number | undefined;
  }
  | {
    readonly type: "attempt-succeeded";
    /** `host:port`. */
    readonly target: string;
    /** How many attempts this target had before. */
    readonly number: number;
  };

/** Options for {@linkcode dial}. */
export interface DialOptions extends BackoffOptions {
  /**
   * How long all attempts together may take, in milliseconds, up to about 24
   * days. There is always one.
   *
   * @default {10_000}
   */
  readonly deadlineMs?: number | undefined;
  /**
   * How long one attempt may take, in milliseconds: a packet that vanished
   * must not cost the whole deadline.
   *
   * @default {5_000}
   */
  readonly attemptMs?: number | undefined;
  /**
   * The head start of each target before the next, in milliseconds (RFC 8305
   * calls it the connection attempt delay).
   *
   * @default {250}
   */
  readonly staggerMs?: number | undefined;
  /**
   * Whether to try again after an error. The default does unless the verdict
   * is `give-up` or `bug`.
   */
  readonly retry?:
    | ((error: unknown, verdict: Verdict) => boolean)
    | undefined;
  /** Hears of every attempt. */
  readonly onAttempt?: ((event: AttemptEvent) => void) | undefined;
  /** Ends the dial at once, with its reason. */
  readonly signal?: AbortSignal | undefined;
}

/** Options for a {@linkcode dial} by TCP. */
export interface DialTcpOptions extends DialOptions {
  /**
   * Proves that the service works, by its own protocol: a connection shows no
   * more than that the kernel of the other side answers, and a frozen program's
   * does too. The connection counts once this resolves; otherwise it is closed,
   * and the attempt has failed.
   */
  readonly proof?:
    | ((conn: Deno.Conn, context: ConnectContext) => Promise<unknown>)
    | undefined;
  /**
   * How names are looked up; `false` leaves it to the system. Without
   * permission to read `/etc/resolv.conf` the system does it, too.
   *
   * @default {by resolve(), each family on its own}
   */
  readonly resolve?: ResolveOptions | false | undefined;
  /**
   * How long an address may be silent before it gets a second socket, in
   * milliseconds, up to eight in all: a SYN that was lost is otherwise sent
   * again after a second. At least twice what a connection took lately;
   * `Infinity` for never.
   *
   * @default {150}
   */
  readonly hedgeMs?: number | undefined;
  /**
   * What is known of the families.
   *
   * @default {one memory for all dials of the program}
   */
  readonly memory?: FamilyMemory | undefined;
}

/** Options for a {@linkcode dial} by TLS. */
export interface DialTlsOptions extends DialTcpOptions {
  /**
   * TLS over TCP, to the target's hostname. The attempt includes the handshake:
   * `Deno.connectTls` alone resolves before it.
   */
  readonly tls: true | DialTlsConfig;
}

/** How to do TLS. */
export interface DialTlsConfig {
  /** Certificates of authorities to trust beside the usual ones, as PEM. */
  readonly caCerts?: string[] | undefined;
  /** The protocols to offer (ALPN), the best first. */
  readonly alpnProtocols?: string[] | undefined;
}

/** Options for a {@linkcode dial} with a connector of one's own. */
export interface DialWithOptions<T, C> extends DialOptions {
  /** Makes one connection. */
  readonly connect: Connector<T, C>;
}
