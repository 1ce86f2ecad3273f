/**
 * Detects network changes, and gives connections handlers for them.
 *
 * {@linkcode readSnapshot} reads the network once, {@linkcode watchNetwork}
 * keeps it in view and emits one event for each change, and
 * {@linkcode NetworkWatch.track} tells one connection about its own path.
 *
 * ```ts
 * import { watchNetwork } from "@holdfast/netwatch";
 * import { assert, assertEquals } from "@std/assert";
 *
 * await using watch = await watchNetwork();
 * using _events = watch.on("*", (event) => console.log(event.type, event.reason));
 *
 * // What the network is now; events only say that it changed.
 * assert(watch.state.interfaces.length > 0);
 *
 * // A handle for one connection: pass a Deno.Conn, or its two addresses.
 * using path = watch.track({ localAddr: "127.0.0.1", remoteAddr: "127.0.0.2" });
 * path.on("path-lost", (event) => console.log("reconnect:", event.reason));
 * assertEquals(path.state.status, "ok");
 * ```
 *
 * The type of each single event is in `@holdfast/netwatch/types`.
 *
 * @module
 */
export { describeEvent, describeSnapshot } from "./describe.ts";
export { diffSnapshots } from "./diff.ts";
export { NetwatchError, type NetwatchErrorCode } from "./errors.ts";
export { classifyLink, type LinkClass } from "./link_class.ts";
export { networkIdOf } from "./network_id.ts";
export type { NetworkChange, NetworkEvent } from "./network_event.ts";
export {
  evaluatePath,
  type Path,
  type PathChange,
  type PathEnd,
  type PathEvent,
  type PathHandle,
  type PathLossReason,
  type PathState,
  type PathTarget,
} from "./path.ts";
export { type ReadOptions, readSnapshot } from "./read.ts";
export type {
  Aspect,
  DefaultRoute,
  EffectiveRoute,
  Family,
  InterfaceAddress,
  NetworkInterface,
  NetworkSnapshot,
  RoutingRule,
  Scope,
} from "./snapshot.ts";
export {
  type IgnoredInterfaces,
  isMajor,
  type SeverityOptions,
} from "./severity.ts";
export {
  type NetworkWatch,
  watchNetwork,
  type WatchOptions,
  type WatchStats,
} from "./watch.ts";
