import { isIP } from "node:net";
import { Dialling } from "./_dialling.ts";
import { checkFamilies, checkName, checkTargets } from "./_arguments.ts";
import { hostConnector } from "./_host_connector.ts";
import { checkNumber } from "./_options.ts";
import { TIMER_MAX_MS } from "./_pause.ts";
import type {
  Closable,
  DialTarget,
  DialTcpOptions,
  DialTlsOptions,
  DialWithOptions,
} from "./dial_options.ts";

/**
 * Connects, and keeps trying as long as that is of use: within a deadline,
 * with backoff between attempts, each attempt limited on its own.
 *
 * Of several targets the first gets a head start of `staggerMs`, and each next
 * one starts that much later, or at once when nothing else is under way. The
 * first connection wins; all others are closed, also those that come late.
 *
 * Within one target the addresses of a name race (Happy Eyeballs version 2):
 * both families are looked up on their own, IPv4 waits 50 ms for IPv6, a failure
 * starts the next address at once, a silent address gets a second socket, a
 * family that is broken here goes last, and an IPv6 source that cannot be used
 * yet is waited for (with `--allow-run=ip`).
 *
 * A connection shows only that the kernel of the other side answers. Pass a
 * `proof`, or reset your own backoff when the service has answered.
 *
 * ```ts
 * import { dial } from "@holdfast/recovery";
 * import { assertEquals } from "@std/assert";
 *
 * const probe = Deno.listen({ hostname: "127.0.0.1", port: 0 });
 * const { port } = probe.addr;
 * probe.close(); // Nobody listens now: a plain connect would fail.
 *
 * const dialling = dial({ hostname: "127.0.0.1", port }, { firstMs: 20 });
 * const listener = Deno.listen({ hostname: "127.0.0.1", port });
 * using conn = await dialling;
 * assertEquals(conn.remoteAddr.port, port);
 * listener.close();
 * ```
 *
 * @returns The connection, which is the caller's to close.
 * @throws {DOMException} A `TimeoutError` when the deadline passes, with the
 * last error as `cause`.
 * @throws {RecoveryError} `recovery/gave-up` when trying again cannot help,
 * with the error as `cause`.
 * @throws {RangeError} When an option or a port is out of bounds.
 * @throws {TypeError} When there is no target, or a hostname can be none.
 * @throws The reason of the signal, when it is aborted.
 * @see {@link https://www.rfc-editor.org/rfc/rfc8305 | RFC 8305}, Happy Eyeballs
 */
export function dial<T extends DialTarget, C extends Closable>(
  target: T | readonly T[],
  options: DialWithOptions<T, C>,
): Promise<C>;
/** Connects by TLS, as above. */
export function dial(
  target: DialTarget | readonly DialTarget[],
  options: DialTlsOptions,
): Promise<Deno.TlsConn>;
/** Connects by TCP, as above. */
export function dial(
  target: DialTarget | readonly DialTarget[],
  options?: DialTcpOptions,
): Promise<Deno.TcpConn>;
export async function dial<T extends DialTarget>(
  target: T | readonly T[],
  options:
    | DialTcpOptions
    | DialTlsOptions
    | DialWithOptions<T, Closable> = {},
): Promise<Closable> {
  const targets = Array.isArray(target)
    ? target as readonly T[]
    : [target as T];
  checkTargets("dial", targets);
  const limits = {
    deadlineMs: options.deadlineMs ?? 10_000,
    attemptMs: options.attemptMs ?? 5_000,
    staggerMs: options.staggerMs ?? 250,
  };
  checkNumber("dial", "deadlineMs", limits.deadlineMs, 1, TIMER_MAX_MS);
  checkNumber("dial", "attemptMs", limits.attemptMs, 1, TIMER_MAX_MS);
  checkNumber("dial", "staggerMs", limits.staggerMs, 0, TIMER_MAX_MS);
  options.signal?.throwIfAborted();
  const dialling = new Dialling<T, Closable>(
    targets,
    connectorOf(targets, options),
    limits,
    options,
  );
  return await dialling.run();
}

function connectorOf<T extends DialTarget>(
  targets: readonly T[],
  options: DialTcpOptions | DialTlsOptions | DialWithOptions<T, Closable>,
): DialWithOptions<T, Closable>["connect"] {
  if ("connect" in options && options.connect) return options.connect;
  const { hedgeMs = 150 } = options as DialTcpOptions;
  checkNumber("dial", "hedgeMs", hedgeMs, 1, Infinity);
  const { resolve = {} } = options as DialTcpOptions;
  if (resolve !== false) {
    checkFamilies(resolve.families ?? ["v6", "v4"]);
    for (const { hostname } of targets) {
      if (isIP(hostname) === 0) checkName(hostname);
    }
  }
  return hostConnector(options as DialTcpOptions);
}
