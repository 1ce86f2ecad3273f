/**
 * What the doctor's probes bring, as plain data: the rules judge nothing else.
 * A part is `undefined` where it could not be asked.
 */
import type { MtuState, PortalState, ProxyState } from "./network_checks.ts";
import type { Verdict } from "./verdict.ts";

/** One address of an interface. */
export interface AddressFinding {
  readonly address: string;
  readonly family: "v4" | "v6";
  readonly linkLocal: boolean;
  readonly tentative: boolean;
  readonly duplicate: boolean;
}

/** One interface that is not the loopback. */
export interface LinkFinding {
  readonly name: string;
  readonly up: boolean;
  readonly carrier: boolean;
  readonly addresses: readonly AddressFinding[];
}

/** The way to one address, by the kernel's word. */
export interface RouteFinding {
  readonly to: string;
  /** `none` where there is no route. */
  readonly kind: "forbidden" | "local" | "none" | "unicast";
  readonly interface: string | undefined;
  readonly gateway: string | undefined;
  readonly source: string | undefined;
}

/** One name server. */
export interface ServerFinding {
  readonly server: string;
  /** What it said of the name; see `DnsAnswer`. `not-allowed`: not asked. */
  readonly kind: string;
  /** Whether the host that it runs on answers anything. */
  readonly alive: boolean;
}

/** One attempt to connect to an address of the target. */
export interface ConnectFinding {
  readonly address: string;
  readonly family: "v4" | "v6";
  /** `undefined`: it was open. */
  readonly failure: Verdict | undefined;
  /** Nothing came back at all. */
  readonly silent: boolean;
}

/** What is known after all probes. */
export interface Findings {
  readonly target: {
    readonly hostname: string;
    readonly port: number;
    readonly isName: boolean;
    readonly tls: boolean;
    readonly http: boolean;
  } | undefined;
  readonly system: {
    readonly descriptorsOut: boolean;
    readonly portsOut: boolean;
  } | undefined;
  readonly links: readonly LinkFinding[] | undefined;
  readonly routes: readonly RouteFinding[] | undefined;
  /** Whether sending was forbidden by this host. */
  readonly sendForbidden: boolean;
  /** Whether each next hop answered, by its address. */
  readonly hops: Readonly<Record<string, boolean>>;
  /** The own IPv4 address that somebody else answers for. */
  readonly conflict:
    | { readonly address: string; readonly other: string }
    | undefined;
  readonly tunnel: string | undefined;
  readonly firewall:
    | { readonly open: boolean; readonly why: string }
    | undefined;
  readonly proxies: readonly ProxyState[];
  readonly servers: readonly ServerFinding[] | undefined;
  /** Why the name has no address; `undefined` where it has. */
  readonly name: Verdict | undefined;
  readonly portal: PortalState;
  readonly clockMs: number | undefined;
  readonly connects: readonly ConnectFinding[];
  readonly tls: Verdict | "silent" | "works" | undefined;
  readonly service: "answers" | "silent" | undefined;
  readonly mtu: MtuState;
  /** `ended`: by the service itself; `untried`: nobody could be asked. */
  readonly idle: "dropped" | "ended" | "held" | "untried" | undefined;
  readonly brokers: readonly {
    readonly url: string;
    readonly failure: Verdict | undefined;
  }[];
}
