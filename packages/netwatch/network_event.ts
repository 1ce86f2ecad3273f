import type {
  DefaultRoute,
  EffectiveRoute,
  Family,
  InterfaceAddress,
  NetworkInterface,
  RoutingRule,
} from "./snapshot.ts";

/** Why something that a route or an address rested on went away. */
export type LossReason =
  | "interface-removed"
  | "interface-down"
  | "carrier-lost"
  | "address-removed"
  | "removed";

/** An interface appeared; `renamed` when it only has a new name. */
export interface InterfaceAddedEvent {
  /** Which kind. */
  readonly type: "interface-added";
  /** Why. */
  readonly reason: "appeared" | "renamed";
  /** The interface as it is now. */
  readonly after: NetworkInterface;
}

/** An interface is gone, or has another name now. */
export interface InterfaceRemovedEvent {
  /** Which kind. */
  readonly type: "interface-removed";
  /** Why. */
  readonly reason: "disappeared" | "renamed";
  /** The interface as it was last seen. */
  readonly before: NetworkInterface;
}

/**
 * How an interface changed; `interface-changed` is for its MTU, its kind, and
 * what was unknown before.
 */
export type InterfaceStateType =
  | "interface-up"
  | "interface-down"
  | "carrier-lost"
  | "carrier-gained"
  | "interface-changed";

/** An interface went up or down, lost or gained carrier, or changed otherwise. */
export interface InterfaceStateEvent<T extends InterfaceStateType> {
  /** Which kind. */
  readonly type: T;
  /**
   * `switched-on`, `switched-off`, `carrier`, `no-carrier`; for
   * `interface-changed` the fields that differ, joined by commas.
   */
  readonly reason: string;
  /** The interface before. */
  readonly before: NetworkInterface;
  /** The interface now. */
  readonly after: NetworkInterface;
}

/** An interface has an address more. */
export interface AddressAddedEvent {
  /** Which kind. */
  readonly type: "address-added";
  /** Whether the interface was there before. */
  readonly reason: "assigned" | "interface-added";
  /** The name of the interface. */
  readonly interface: string;
  /** The address. */
  readonly after: InterfaceAddress;
}

/** An interface has an address less. */
export interface AddressRemovedEvent {
  /** Which kind. */
  readonly type: "address-removed";
  /** Why it went. */
  readonly reason: LossReason;
  /** The name of the interface. */
  readonly interface: string;
  /** The address as it was. */
  readonly before: InterfaceAddress;
}

/** The same address is usable, deprecated or scoped differently now. */
export interface AddressChangedEvent {
  /** Which kind. */
  readonly type: "address-changed";
  /** Which flags differ: `tentative`, `deprecated`, …, joined by commas. */
  readonly reason: string;
  /** The name of the interface. */
  readonly interface: string;
  /** The address before. */
  readonly before: InterfaceAddress;
  /** The address now. */
  readonly after: InterfaceAddress;
}

/**
 * The effective default of one family has another gateway, or leaves by
 * another interface. When both differ there are two events.
 */
export interface DefaultChangedEvent<
  T extends "gateway-changed" | "default-interface-changed",
> {
  /** Which part of it. */
  readonly type: T;
  /** `gained` when there was none, `replaced`, or why it was lost. */
  readonly reason: "gained" | "replaced" | LossReason;
  /** Whose default. */
  readonly family: Family;
  /** The effective route before; absent when there was none. */
  readonly before?: EffectiveRoute;
  /** The effective route now; absent when there is none. */
  readonly after?: EffectiveRoute;
}

/** The default routes of one family in one table are others. */
export interface RoutesChangedEvent {
  /** Which kind. */
  readonly type: "route-changed";
  /** Tells it from a change of rules. */
  readonly what: "default-routes";
  /** What happened to the set. */
  readonly reason: "route-added" | "route-removed" | "route-replaced";
  /** The family of all of them. */
  readonly family: Family;
  /** The table of all of them. */
  readonly table: string;
  /** All of that table before. */
  readonly before: readonly DefaultRoute[];
  /** All of that table now. */
  readonly after: readonly DefaultRoute[];
}

/**
 * The same gateway address leads to another device: another network behind the
 * same addresses, or the router was replaced. `identified` when it is only now
 * known which device that is.
 */
export interface NetworkChangedEvent {
  /** Which kind. */
  readonly type: "network-changed";
  /** Whether it was known before. */
  readonly reason: "replaced" | "identified" | "unidentified";
  /** The family of the route. */
  readonly family: Family;
  /** The effective route before. */
  readonly before: EffectiveRoute;
  /** The effective route now. */
  readonly after: EffectiveRoute;
}

/** The policy routing rules are others. */
export interface RulesChangedEvent {
  /** Which kind. */
  readonly type: "route-changed";
  /** Tells it from a change of routes. */
  readonly what: "rules";
  /** What happened to the set. */
  readonly reason: "rule-added" | "rule-removed" | "rule-replaced";
  /** All rules before. */
  readonly before: readonly RoutingRule[];
  /** All rules now. */
  readonly after: readonly RoutingRule[];
}

/** `NetworkSnapshot.online` turned. */
export interface OnlineEvent<T extends "online" | "offline"> {
  /** Which way. */
  readonly type: T;
  /** What made the difference. */
  readonly reason: "no-route" | "no-link" | "no-address" | "usable";
  /** Before; absent when it was unknown. */
  readonly before?: boolean;
  /** Now. */
  readonly after: boolean;
}

/** Nothing changed for a while after changes. */
export interface SettledEvent {
  /** Which kind. */
  readonly type: "settled";
  /** Quiet for 250 ms, or still busy after 2 s. */
  readonly reason: "quiet" | "limit";
  /** How many changes were published since the first. */
  readonly changes: number;
  /** Whether one of them was a reason to look at connections: see `isMajor`. */
  readonly major: boolean;
  /** Milliseconds from the first change until now. */
  readonly durationMs: number;
}

/**
 * The host slept and woke: addresses may still be there that lead nowhere any
 * more. Told by the uptime, which counts sleep, against the monotonic clock.
 */
export interface WokeEvent {
  /** Which kind. */
  readonly type: "woke";
  /** How it was found. */
  readonly reason: "uptime";
  /** How long it slept, in milliseconds, a second more or less. */
  readonly asleepMs: number;
}

/** Somebody set the time of day: what was measured by it is wrong. */
export interface ClockStepEvent {
  /** Which kind. */
  readonly type: "clock-step";
  /** Which way; where the uptime cannot be read, a sleep looks like a step. */
  readonly reason: "forward" | "back" | "forward-or-sleep";
  /** By how much, in milliseconds; negative for back. */
  readonly stepMs: number;
}

/** This program stood still: stopped, starved, or busy. The host did not sleep. */
export interface StalledEvent {
  /** Which kind. */
  readonly type: "stalled";
  /** How it was found: a timer came late. */
  readonly reason: "late";
  /** By how much, in milliseconds. */
  readonly stalledMs: number;
}

/** The watch sees less than it should, or everything again. */
export interface DegradedEvent<T extends "degraded" | "recovered"> {
  /** Which way. */
  readonly type: T;
  /** What is concerned: the event source, or the reading of snapshots. */
  readonly what: "monitor" | "read";
  /** One sentence: what happened and what it means. */
  readonly reason: string;
}

/** What `diffSnapshots` tells, discriminated by `type`. */
export type NetworkChange =
  | InterfaceAddedEvent
  | InterfaceRemovedEvent
  | InterfaceStateEvent<"interface-up">
  | InterfaceStateEvent<"interface-down">
  | InterfaceStateEvent<"carrier-lost">
  | InterfaceStateEvent<"carrier-gained">
  | InterfaceStateEvent<"interface-changed">
  | AddressAddedEvent
  | AddressRemovedEvent
  | AddressChangedEvent
  | DefaultChangedEvent<"gateway-changed">
  | DefaultChangedEvent<"default-interface-changed">
  | NetworkChangedEvent
  | RoutesChangedEvent
  | RulesChangedEvent
  | OnlineEvent<"online">
  | OnlineEvent<"offline">;

/** What a `NetworkWatch` emits, discriminated by `type`; plain JSON. */
export type NetworkEvent =
  | NetworkChange
  | SettledEvent
  | WokeEvent
  | ClockStepEvent
  | StalledEvent
  | DegradedEvent<"degraded">
  | DegradedEvent<"recovered">;
