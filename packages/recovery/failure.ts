/** The part of the stack in which a failure arises. */
export type Layer =
  | "link"
  | "ip"
  | "tcp"
  | "udp"
  | "dns"
  | "tls"
  | "http"
  | "system"
  | "program";

/** A system on which a failure is known to arise. */
export type Platform = "linux" | "darwin" | "windows";

/** The name of one entry of the catalogue, {@linkcode failures}. */
export type FailureId =
  | "addr-removed-est"
  | "addr-replaced-est"
  | "arp-late"
  | "arp-stale-gateway"
  | "arp-unresolved"
  | "buffers-exhausted"
  | "captive-portal"
  | "clock-step"
  | "close-unread"
  | "dad-failed"
  | "dad-tentative-bind"
  | "dad-tentative-source"
  | "datagram-too-big"
  | "dns-dead"
  | "dns-pool-starved"
  | "dns-rcode-blind"
  | "dns-sinkhole"
  | "dns-slow-aaaa"
  | "ephemeral-ports-out"
  | "fd-exhausted"
  | "fd-exhausted-server"
  | "freeze"
  | "half-close"
  | "herd"
  | "icmp-reject"
  | "kill-switch-route"
  | "link-down-est"
  | "link-down-new"
  | "local-fw-udp"
  | "mtu-blackhole"
  | "multihome-dead-uplink"
  | "nat-state-lost"
  | "path-blackhole-est"
  | "peer-frozen"
  | "peer-gone"
  | "peer-rst"
  | "permission-missing"
  | "port-taken"
  | "proxy-broken"
  | "refused"
  | "route-removed-est"
  | "route-removed-new"
  | "server-restart-pool"
  | "short-write"
  | "slow-reader"
  | "syn-blackhole"
  | "syn-loss"
  | "tls-clock"
  | "tls-intercept"
  | "tls-wrong-name"
  | "udp-port-unreach"
  | "used-after-close"
  | "v4-conflict"
  | "v6-broken-dual"
  | "v6-disabled"
  | "wrong-protocol";

/** One way in which networking fails: what it looks like, why, what helps. */
export interface Failure {
  /** Its name, unique in the catalogue and stable from release to release. */
  readonly id: FailureId;
  /** The part of the stack in which it arises. */
  readonly layer: Layer;
  /** What a program sees, with times measured in Deno 2.9.6 on Linux. */
  readonly symptom: string;
  /** The code of the error; absent where none is thrown or none is set. */
  readonly code?: string;
  /** What is really the matter. */
  readonly cause: string;
  /** Where it is known to arise. */
  readonly platforms: readonly Platform[];
  /** How to tell it from others that look the same. */
  readonly detect: string;
  /** What prevents it, or what to do about it. */
  readonly prevent: string;
  /** The same as code, with the functions of this package. */
  readonly example: string;
  /** How its test brings it about, or why that cannot be done. */
  readonly inject: string;
  /** Where to read more: RFC, man page, issue. */
  readonly reference: string;
}
