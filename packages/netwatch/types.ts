/**
 * The type of each single event, for functions that take only one of them.
 * Their union is `NetworkEvent` of `@holdfast/netwatch`.
 *
 * ```ts
 * import type { DefaultChangedEvent } from "@holdfast/netwatch/types";
 * import { assertEquals } from "@std/assert";
 *
 * const gateway = (event: DefaultChangedEvent<"gateway-changed">): string =>
 *   event.after?.gateway ?? "none";
 * assertEquals(
 *   gateway({ type: "gateway-changed", reason: "removed", family: "IPv4" }),
 *   "none",
 * );
 * ```
 *
 * @module
 */
export type {
  AddressAddedEvent,
  AddressChangedEvent,
  AddressRemovedEvent,
  ClockStepEvent,
  DefaultChangedEvent,
  DegradedEvent,
  InterfaceAddedEvent,
  InterfaceRemovedEvent,
  InterfaceStateEvent,
  InterfaceStateType,
  LossReason,
  NetworkChangedEvent,
  OnlineEvent,
  RoutesChangedEvent,
  RulesChangedEvent,
  SettledEvent,
  StalledEvent,
  WokeEvent,
} from "./network_event.ts";
