import type { Events } from "@holdfast/events";
import {
  ipBytes,
  isLoopback,
  isOnLink,
  isUnspecified,
  sameIp,
  scopeOf,
} from "./_address.ts";
import type {
  EffectiveRoute,
  NetworkInterface,
  NetworkSnapshot,
} from "./snapshot.ts";

/** The two ends of a connection, as address texts without ports. */
export interface Path {
  /** The own address. */
  readonly localAddr: string;
  /** The peer's address; without it changes of the route are not told. */
  readonly remoteAddr?: string | undefined;
}

/** Why a path cannot carry anything. */
export type PathLossReason =
  | "address-removed"
  | "interface-down"
  | "carrier-lost";

/** An end of a connection as Deno tells it, or an address text. */
export type PathEnd = string | { readonly hostname: string } | Deno.Addr;

/** What can be tracked: a `Deno.Conn`, or two addresses. Ports do not matter. */
export interface PathTarget {
  /** The own end. */
  readonly localAddr: PathEnd;
  /** The peer's end. */
  readonly remoteAddr?: PathEnd | undefined;
}

/** How a path stands. */
export interface PathState {
  /** Whether its local address is there, on an interface that is up. */
  readonly status: "ok" | "lost";
  /** Why it is lost; absent when it is not. */
  readonly reason?: PathLossReason;
  /** The interface that has the local address; absent when none has. */
  readonly interface?: string;
  /** The default route to a peer that is not on a link of this host. */
  readonly via?: EffectiveRoute;
}

/** What a tracked path tells, discriminated by `type`; plain JSON. */
export type PathEvent =
  | PathChange<"path-lost", PathLossReason>
  | PathChange<
    "path-changed",
    "interface-changed" | "route-changed" | "route-lost" | "route-gained"
  >
  | PathChange<
    "path-restored",
    "address-added" | "interface-up" | "carrier-gained"
  >;

/** One change of a path. */
export interface PathChange<T extends string, R extends string> {
  /** Which kind. */
  readonly type: T;
  /** Why. */
  readonly reason: R;
  /** Which path. */
  readonly path: Path;
  /** How it stood. */
  readonly before: PathState;
  /** How it stands. */
  readonly after: PathState;
}

/** The handlers of one connection. Dispose it when the connection ends. */
export interface PathHandle extends Events<PathEvent>, Disposable {
  /** What is tracked. */
  readonly path: Path;
  /** How it stands now. */
  readonly state: PathState;
}

/**
 * How a path stands in a snapshot. All of 127.0.0.0/8 belongs to the loopback
 * interface, and a wildcard address (`0.0.0.0`, `::`) is never lost.
 *
 * ```ts
 * import { evaluatePath, readSnapshot } from "@holdfast/netwatch";
 * import { assertEquals } from "@std/assert";
 *
 * const snapshot = await readSnapshot();
 * const gone = evaluatePath({ localAddr: "203.0.113.77" }, snapshot);
 * assertEquals(gone, { status: "lost", reason: "address-removed" });
 * ```
 */
export function evaluatePath(path: Path, snapshot: NetworkSnapshot): PathState {
  const { localAddr } = path;
  const route = viaOf(path, snapshot);
  const via = route === undefined ? {} : { via: route };
  if (isUnspecified(localAddr)) return { status: "ok", ...via };
  const owners = snapshot.interfaces.filter((entry) => owns(entry, localAddr));
  if (owners.length === 0) {
    return { status: "lost", reason: "address-removed" };
  }
  const alive = owners.find((entry) => linkLoss(entry) === undefined);
  if (alive === undefined) {
    const [{ name }] = owners as [NetworkInterface];
    return { status: "lost", reason: linkLoss(owners[0]!)!, interface: name };
  }
  return { status: "ok", interface: alive.name, ...via };
}

/** The event that tells the step from one state to the next, if any. */
export function diffPath(
  path: Path,
  before: PathState,
  after: PathState,
): PathEvent | undefined {
  const told = { path, before, after };
  if (after.status === "lost") {
    return before.status === "lost"
      ? undefined
      : { type: "path-lost", reason: after.reason!, ...told };
  }
  if (before.status === "lost") {
    const reason = RESTORED_BY[before.reason ?? "address-removed"];
    return { type: "path-restored", reason, ...told };
  }
  if (before.interface !== after.interface) {
    return { type: "path-changed", reason: "interface-changed", ...told };
  }
  const [was, is] = [before.via, after.via];
  if (was?.interface === is?.interface && was?.gateway === is?.gateway) {
    return undefined;
  }
  const reason = was === undefined
    ? "route-gained"
    : is === undefined
    ? "route-lost"
    : "route-changed";
  return { type: "path-changed", reason, ...told };
}

const RESTORED_BY = {
  "address-removed": "address-added",
  "interface-down": "interface-up",
  "carrier-lost": "carrier-gained",
} as const;

function owns(entry: NetworkInterface, ip: string): boolean {
  return entry.addresses.some(({ address }) =>
    sameIp(address, ip) ||
    // The kernel answers for the whole block, and lists only 127.0.0.1.
    isLoopback(ip) && isLoopback(address) &&
      ipBytes(ip)?.length === ipBytes(address)?.length
  );
}

function linkLoss(
  { up, carrier }: NetworkInterface,
): "interface-down" | "carrier-lost" | undefined {
  if (up === false) return "interface-down";
  return carrier === false ? "carrier-lost" : undefined;
}

function viaOf(
  { remoteAddr }: Path,
  snapshot: NetworkSnapshot,
): EffectiveRoute | undefined {
  if (remoteAddr === undefined || scopeOf(remoteAddr) !== "global") {
    return undefined;
  }
  const near = snapshot.interfaces.some(({ addresses }) =>
    addresses.some((address) => isOnLink(remoteAddr, address))
  );
  const family = ipBytes(remoteAddr)?.length === 4 ? "IPv4" : "IPv6";
  return near ? undefined : snapshot.effective[family];
}
