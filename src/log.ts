/**
 * Writes what happens to a peer, a server, or any other source of events, to a
 * logger. The packages below are silent: their events are the log.
 *
 * ```ts
 * import { connect, serve } from "@holdfast/holdfast";
 * import { logEvents } from "@holdfast/holdfast/log";
 * import { assert } from "@std/assert";
 *
 * await using server = await serve((conn) => conn.readable.pipeTo(conn.writable));
 *
 * const lines: string[] = [];
 * const write = (message: string) => void lines.push(message);
 * // A logger of LogTape fits as it is, and so does `console`.
 * using _log = logEvents(server, { debug: write, info: write, warn: write, error: write });
 *
 * const conn = await connect(server.addr as Deno.NetAddr, { network: false });
 * await conn[Symbol.asyncDispose]();
 * assert(lines.some((line) => line.startsWith("session session-opened")));
 * ```
 *
 * @module
 */
import type { EventLike, Events, ListenOptions } from "@holdfast/events";

/** How much an event matters. */
export type LogLevel = "debug" | "info" | "warn" | "error";

/** What a logger must have: a function a level. */
export type Logger = Readonly<
  Record<
    LogLevel,
    (message: string, properties: Record<string, unknown>) => void
  >
>;

/** Options for {@linkcode logEvents}. */
export interface LogOptions extends ListenOptions {
  /**
   * What matters less is not written.
   *
   * @default {"info"}
   */
  readonly level?: LogLevel | undefined;
}

const LEVELS: readonly LogLevel[] = ["debug", "info", "warn", "error"];

const ERRORS: ReadonlySet<string> = new Set(["lost", "handler-failed"]);
const WARNINGS: ReadonlySet<string> = new Set([
  ...["accept-paused", "broker-down", "connection-shed", "degraded"],
  ...["detached", "handshake-refused", "isolated", "offline", "path-lost"],
  ...["redial-failed", "rolled-back", "serve-failed", "slow", "store-failed"],
  ...["undelivered", "upgrade-failed"],
]);
const NEWS: ReadonlySet<string> = new Set([
  ...["accept-resumed", "attached", "broker-up", "moved", "online"],
  ...["peer-called", "peer-connected", "peer-draining", "peer-located"],
  ...["peer-moved", "recovered", "resumed", "serving", "session-ended"],
  ...["session-opened", "superseded", "woke"],
]);

/**
 * Writes each event of a source, until the result is disposed or the source
 * ends. The properties are the event itself, which holds no secret.
 */
export function logEvents(
  source: Events<EventLike>,
  logger: Logger,
  options: LogOptions = {},
): Disposable {
  const { level: least = "info", signal } = options;
  if (!LEVELS.includes(least)) {
    throw new TypeError(
      `Cannot log: level must be one of ${
        LEVELS.join(", ")
      }: current value is ${JSON.stringify(least)}`,
    );
  }
  const from = LEVELS.indexOf(least);
  return source.on("*", (event) => {
    const level = levelOf(event);
    if (LEVELS.indexOf(level) < from) return;
    logger[level](describeEvent(event), { ...event });
  }, { signal });
}

/** The event at the core: those of a part stand in an event of the whole. */
function innermost(event: EventLike): EventLike {
  const { event: inner } = event as { event?: EventLike };
  return inner === undefined ? event : innermost(inner);
}

/** How much an event matters, by its type or that of the event inside. */
export function levelOf(event: EventLike): LogLevel {
  const { type } = innermost(event);
  if (ERRORS.has(type)) return "error";
  if (WARNINGS.has(type)) return "warn";
  return NEWS.has(type) ? "info" : "debug";
}

/**
 * One line on an event: its types from the outside in, and what it says.
 *
 * ```ts
 * import { describeEvent } from "@holdfast/holdfast/log";
 * import { assertEquals } from "@std/assert";
 *
 * const inner = { type: "detached", reason: "path-lost", pendingBytes: 7 };
 * const event = { type: "stream", sid: "ab12", event: inner };
 * assertEquals(
 *   describeEvent(event),
 *   "stream detached: sid=ab12 reason=path-lost pendingBytes=7",
 * );
 * ```
 */
export function describeEvent(event: EventLike): string {
  const types: string[] = [];
  const facts: string[] = [];
  let next: EventLike | undefined = event;
  while (next !== undefined) {
    const { type, event: inner, ...rest } = next as
      & EventLike
      & { readonly event?: EventLike };
    types.push(type);
    for (const [name, value] of Object.entries(rest)) {
      if (value !== undefined) facts.push(`${name}=${factText(value)}`);
    }
    next = inner;
  }
  const told = facts.length === 0 ? "" : `: ${facts.join(" ")}`;
  return types.join(" ") + told;
}

function factText(value: unknown): string {
  if (typeof value === "number") return `${Math.round(value * 1000) / 1000}`;
  if (typeof value === "string" && /^[^\s"=]+$/.test(value)) return value;
  return JSON.stringify(value);
}
