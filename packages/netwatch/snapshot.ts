/** Which Internet Protocol; the words of `Deno.networkInterfaces()`. */
export type Family = "IPv4" | "IPv6";

/** How far an address reaches: this host, this link, or beyond. */
export type Scope = "host" | "link" | "site" | "global";

/** One address of an interface. A flag is `false` where it cannot be seen. */
export interface InterfaceAddress {
  /** IPv4 or IPv6. */
  readonly family: Family;
  /** The address in its canonical text, without a zone. */
  readonly address: string;
  /** How many leading bits name the network, 0 to 32 or 128. */
  readonly prefix: number;
  /** How far it reaches; 169.254.0.0/16 and fe80::/10 are always `"link"`. */
  readonly scope: Scope;
  /** Not usable yet, or found to be a duplicate (RFC 4862 §5.4). */
  readonly tentative: boolean;
  /** Good for connections that exist, not for new ones (RFC 4862 §5.5.4). */
  readonly deprecated: boolean;
  /** A privacy address that will be replaced by another (RFC 8981). */
  readonly temporary: boolean;
}

/** One network interface. What cannot be seen here is absent. */
export interface NetworkInterface {
  /** The name that the system gives it. */
  readonly name: string;
  /** The kernel's number of it: a re-created one has the name, not the number. */
  readonly index?: number;
  /** Whether it is switched on (`ip link set … up`). */
  readonly up?: boolean;
  /** Whether the other end is there; absent while the interface is not up. */
  readonly carrier?: boolean;
  /** The largest packet in bytes. */
  readonly mtu?: number;
  /** What it is: `loopback`, `ether`, `veth`, `bridge`, `wireguard`, `tun`, … */
  readonly kind?: string;
  /** Its addresses, IPv4 first, each once. */
  readonly addresses: readonly InterfaceAddress[];
}

/** A default route as it stands in a routing table. */
export interface DefaultRoute {
  /** IPv4 or IPv6. */
  readonly family: Family;
  /**
   * `"unicast"` leads somewhere. Others refuse (`unreachable`, `prohibit`),
   * swallow (`blackhole`), or serve only who asks for that interface
   * (`scoped`, on macOS and the BSDs).
   */
  readonly type: string;
  /** The next router; absent on a point-to-point or on-link route. */
  readonly gateway?: string;
  /** The name of the interface that it leaves by. */
  readonly interface?: string;
  /** The preference, lowest first; 0 where the system has none. */
  readonly metric: number;
  /** The routing table: `"main"`, or a name or number of another. */
  readonly table: string;
  /** Of a multipath route: how much of the traffic this hop gets, by share. */
  readonly weight?: number;
  /** The nexthop object (`ip nexthop`) that it leads to, if it does. */
  readonly nexthop?: number;
}

/** Where a packet to the open Internet leaves now, all rules applied. */
export interface EffectiveRoute {
  /** IPv4 or IPv6. */
  readonly family: Family;
  /** The name of the interface that it leaves by. */
  readonly interface: string;
  /** The next router; absent when the interface itself is the link. */
  readonly gateway?: string;
  /**
   * The link-layer address of that router, which tells one network from
   * another behind the same addresses; absent while this host has not spoken
   * with it, and where it cannot be seen.
   */
  readonly hardware?: string;
}

/** A policy routing rule (`ip rule`). */
export interface RoutingRule {
  /** IPv4 or IPv6. */
  readonly family: Family;
  /** The lowest goes first. */
  readonly priority: number;
  /** What it applies to, as `key value` pairs sorted by key; `""` is all. */
  readonly match: string;
  /** What happens: `table main`, `unreachable`, … */
  readonly action: string;
}

/**
 * What a snapshot tells about. `links`: whether interfaces are there, up, and
 * have carrier. Where it is not seen, an interface is there when it has an
 * address.
 */
export type Aspect = "links" | "addresses" | "routes" | "rules";

/**
 * The state of the network of this host at one moment: plain JSON, in a fixed
 * order, so that equal networks have equal text.
 */
export interface NetworkSnapshot {
  /** All interfaces, by index and name. */
  readonly interfaces: readonly NetworkInterface[];
  /** Every default route of every table; each hop of a multipath one. */
  readonly defaultRoutes: readonly DefaultRoute[];
  /** Policy routing rules of both families on Linux, empty elsewhere. */
  readonly rules: readonly RoutingRule[];
  /** Where packets to the Internet leave, per family; absent: nowhere. */
  readonly effective: {
    /** For IPv4. */
    readonly IPv4?: EffectiveRoute;
    /** For IPv6. */
    readonly IPv6?: EffectiveRoute;
  };
  /**
   * Whether, for some family, an effective route leaves by an interface that
   * is up with carrier, and a usable address beyond link scope exists. Absent
   * where routes are not seen. It does not say that the Internet answers.
   */
  readonly online?: boolean;
  /** What this snapshot tells about. */
  readonly sees: readonly Aspect[];
  /** What was asked: `ip`, `Deno.networkInterfaces`, `netstat`, `route`. */
  readonly sources: readonly string[];
  /** One sentence for each thing that could not be seen, and the remedy. */
  readonly problems: readonly string[];
}
