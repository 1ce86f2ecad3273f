import { isIP } from "node:net";
import { checkNumber } from "./_options.ts";
import { pauseUntil } from "./_pause.ts";
import {
  judgeUsable,
  type NotUsable,
  usableBatch,
  type UsableVerdict,
} from "./_usable_rules.ts";
import type { DialTarget } from "./dial_options.ts";

/** Options for {@linkcode whenUsable}. */
export interface WhenUsableOptions {
  /**
   * How long to wait at the most, in milliseconds.
   *
   * @default {15_000}
   */
  readonly deadlineMs?: number | undefined;
  /** Stops waiting at once, with its reason. */
  readonly signal?: AbortSignal | undefined;
}

/** What is known of a way that can be used. */
export interface Usable {
  /** The interface that packets leave by, where the kernel says so. */
  readonly interface?: string;
  /** The source address that the kernel takes, where it says so. */
  readonly source?: string;
  /** How long it took, in milliseconds. */
  readonly waitedMs: number;
  /** What it waited for, in the order in which it was found out. */
  readonly waitedFor: readonly NotUsable[];
  /** What told: the kernel's tables, or a connection that was answered. */
  readonly evidence: "tables" | "probe";
}

const NEVER = new AbortController().signal;
const LOOK_MS = 40;
const PROBE_FIRST_MS = 250;
const PROBE_MAX_MS = 1_000;

/**
 * Waits until a connection to an address can be made, by evidence and never for
 * a fixed time. After a change of network an interface has an address long
 * before it can be used: the kernel still checks it for duplicates, and gives a
 * connection that is made meanwhile a source with which it hangs for two
 * minutes; or there is no route yet, or the router does not answer.
 *
 * On Linux the kernel's own tables are asked (`--allow-run=ip`), for this
 * destination and family alone, so that a broken IPv6 holds no IPv4 up, and a
 * missing Internet no local network. Where a next hop has not been spoken with,
 * and on other systems, a short connection to the port tells: one that is
 * accepted or refused was answered.
 *
 * ```ts
 * import { whenUsable } from "@holdfast/recovery";
 * import { assertEquals } from "@std/assert";
 *
 * using listener = Deno.listen({ hostname: "127.0.0.1", port: 0 });
 * const { port } = listener.addr;
 * const { waitedFor } = await whenUsable({ hostname: "127.0.0.1", port });
 * assertEquals(waitedFor, []);
 * ```
 *
 * @throws {TypeError} When the host is a name: resolve it first.
 * @throws {Deno.errors.NotCapable} When it may not connect where that has to
 * tell.
 * @throws {DOMException} A `TimeoutError` that says what it waited for last.
 * @throws The reason of the signal.
 */
export async function whenUsable(
  { hostname, port }: DialTarget,
  options: WhenUsableOptions = {},
): Promise<Usable> {
  const { deadlineMs = 15_000, signal } = options;
  checkNumber("wait", "deadlineMs", deadlineMs, 1, 2 ** 31 - 1);
  if (isIP(hostname) === 0) {
    throw new TypeError(
      `Cannot wait for "${hostname}": it is no address: resolve the name first`,
    );
  }
  signal?.throwIfAborted();
  const from = performance.now();
  const until = from + deadlineMs;
  const waitedFor: NotUsable[] = [];
  let probeMs = PROBE_FIRST_MS;
  for (;;) {
    const verdict = await lookAtTables(hostname, signal);
    const found = (evidence: Usable["evidence"]): Usable => ({
      ...(verdict?.usable && { interface: verdict.interface }),
      ...(verdict?.usable && verdict.source !== undefined &&
        { source: verdict.source }),
      ...{ waitedMs: performance.now() - from, waitedFor, evidence },
    });
    if (verdict?.usable && !verdict.unproven) return found("tables");
    const lacks = verdict?.usable === false ? verdict.reason : undefined;
    if (lacks !== undefined && waitedFor.at(-1) !== lacks) {
      waitedFor.push(lacks);
    }
    if (lacks === undefined || lacks === "neighbour-silent") {
      // A packet makes the kernel ask for the neighbour, too; for one that it
      // has given up it asks again only then.
      if (await isAnswered(hostname, port, probeMs, until, signal)) {
        return found("probe");
      }
      probeMs = Math.min(PROBE_MAX_MS, 2 * probeMs);
    }
    signal?.throwIfAborted();
    if (performance.now() + LOOK_MS > until) {
      const what = waitedFor.at(-1) ?? "neighbour-silent";
      throw new DOMException(
        `Cannot use ${hostname} within ${deadlineMs} ms: ${WHY[what]}`,
        "TimeoutError",
      );
    }
    await pauseUntil(LOOK_MS, signal ?? NEVER);
    signal?.throwIfAborted();
  }
}

const WHY: Readonly<Record<NotUsable, string>> = {
  "no-route": "there is no route to it",
  "link-down": "the interface is down",
  "no-carrier": "the cable or the radio has no other end",
  "no-source": "there is no address to send from",
  "tentative": "the own address is still checked for duplicates",
  "duplicate-address": "another host has the own address",
  "neighbour-silent": "the next hop does not answer",
};

/** What the kernel's tables say; `undefined` where they cannot be asked. */
export async function lookAtTables(
  address: string,
  signal: AbortSignal | undefined,
): Promise<UsableVerdict | undefined> {
  if (Deno.build.os !== "linux") return undefined;
  const { state } = await Deno.permissions.query({
    name: "run",
    command: "ip",
  });
  if (state !== "granted") return undefined;
  try {
    await using child = new Deno.Command("ip", {
      args: ["-j", "-force", "-batch", "-"],
      ...{ stdin: "piped", stdout: "piped", stderr: "null" },
      ...(signal !== undefined && { signal }),
    }).spawn();
    const output = child.output();
    const writer = child.stdin.getWriter();
    await writer.write(new TextEncoder().encode(usableBatch(address)));
    await writer.close();
    const { stdout } = await output;
    return judgeUsable(address, new TextDecoder().decode(stdout));
  } catch {
    signal?.throwIfAborted();
    return undefined; // There is no `ip` here.
  }
}

/** Whether anybody answers: also by a refusal. */
async function isAnswered(
  hostname: string,
  port: number,
  ms: number,
  until: number,
  signal: AbortSignal | undefined,
): Promise<boolean> {
  const limit = Math.max(1, Math.min(ms, until - performance.now()));
  const timeout = new AbortController();
  const timer = setTimeout(() => timeout.abort(), limit);
  const ends = signal ? [signal, timeout.signal] : [timeout.signal];
  try {
    const conn = await Deno.connect({
      ...{ hostname, port, signal: AbortSignal.any(ends) },
    });
    conn.close();
    return true;
  } catch (error) {
    // No time brings the permission.
    if (error instanceof Deno.errors.NotCapable) throw error;
    return error instanceof Deno.errors.ConnectionRefused;
  } finally {
    clearTimeout(timer);
  }
}
