// deno-lint-ignore-file no-console -- a command line prints
/** What the command line of the tunnel tells: events, or a line that lives. */
import { styleText } from "node:util";
import type { Events } from "@holdfast/events";
import type { TunnelEvent, TunnelStats } from "./tunnel_events.ts";

const EVERY_MS = 1_000;
const UNITS = ["B", "kB", "MB", "GB"];

interface End extends Events<TunnelEvent> {
  stats(): TunnelStats;
}

/** A number of bytes, or of bytes a second, to three digits. */
export function bytesText(bytes: number): string {
  let unit = 0;
  for (; bytes >= 999.5 && unit < UNITS.length - 1; unit++) bytes /= 1000;
  const digits = unit === 0 || bytes >= 99.95 ? 0 : bytes >= 9.995 ? 1 : 2;
  return `${bytes.toFixed(digits)} ${UNITS[unit]}`;
}

/** One line on how a tunnel fares; rates are per second. */
export function statusText(
  now: TunnelStats,
  before: TunnelStats,
  seconds: number,
): string {
  const rate = (key: "sentBytes" | "receivedBytes") =>
    bytesText((now[key] - before[key]) / seconds);
  const parts = [
    `${now.open} of ${now.total} connections open`,
    `out ${rate("sentBytes")}/s`,
    `in ${rate("receivedBytes")}/s`,
    `${now.cuts} cuts survived`,
  ];
  if (now.paused > 0) parts.push(`${now.paused} waiting for the network`);
  if (now.failed > 0) parts.push(`${now.failed} failed`);
  return parts.join(" · ");
}

/** One line on an event; `undefined` for what the status line tells. */
export function eventText(event: TunnelEvent): string | undefined {
  switch (event.type) {
    case "connection-failed":
      return `Connection ${event.id}: ${event.error}`;
    case "handshake-refused":
      return `Turned away ${event.remote ?? "a client"}: ${event.reason}`;
    default:
      return undefined;
  }
}

/** Tells of a tunnel's end until it is disposed. */
export function report(end: End, json: boolean): Disposable {
  const stack = new DisposableStack();
  if (json) {
    stack.use(end.on("*", (event) => console.log(JSON.stringify(event))));
    return stack;
  }
  const terminal = Deno.stderr.isTerminal();
  const clear = terminal ? "\r\u001b[K" : "";
  const say = (text: string) =>
    Deno.stderr.writeSync(new TextEncoder().encode(text));
  stack.use(end.on("*", (event) => {
    const text = eventText(event);
    if (text !== undefined) say(`${clear}${text}\n`);
  }));
  if (!terminal) return stack;
  let before = end.stats();
  const timer = setInterval(() => {
    const now = end.stats();
    const line = statusText(now, before, EVERY_MS / 1000);
    say(`${clear}${styleText("dim", line)}`);
    before = now;
  }, EVERY_MS);
  stack.defer(() => {
    clearInterval(timer);
    say(clear);
  });
  return stack;
}
