/**
 * One small, typed event interface that every Holdfast package speaks.
 *
 * A source shows {@linkcode Events}: `on`, `once`, and `events()`, a bounded
 * async iterable. Its owner writes with `Emitter` from
 * `@holdfast/events/emitter`.
 *
 * ```ts
 * import type { Events } from "@holdfast/events";
 * import { Emitter } from "@holdfast/events/emitter";
 * import { assertEquals } from "@std/assert";
 *
 * type LinkEvent =
 *   | { readonly type: "up"; readonly name: string }
 *   | { readonly type: "down"; readonly name: string; readonly reason: string };
 *
 * const emitter = new Emitter<LinkEvent>();
 * const link: Events<LinkEvent> = emitter;
 *
 * const lost: string[] = [];
 * using _subscription = link.on("down", (event) => lost.push(event.name));
 * await using stream = link.events();
 *
 * emitter.emit({ type: "up", name: "eth0" });
 * emitter.emit({ type: "down", name: "eth0", reason: "carrier lost" });
 *
 * assertEquals(lost, ["eth0"]);
 * assertEquals((await stream.next()).value?.type, "up");
 * ```
 *
 * @module
 */
export type {
  EventLike,
  EventOf,
  Events,
  EventStream,
  ListenOptions,
  StreamOptions,
} from "./events.ts";
export { merge, type MergedEvents, type MergeOptions } from "./merge.ts";
