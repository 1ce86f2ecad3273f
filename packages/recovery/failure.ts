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
  | "arp-unresolved"
  | "buffers-exhausted"
  | "captive-portal"
  | "dad-tentative-bind"
  | "datagram-too-big"
  | "dns-dead"
  | "dns-rcode-blind"
  | "dns-sinkhole"
  | "fd-exhausted"
  | "half-close"
  | "icmp-reject"
  | "kill-switch-route"
  | "link-down-new"
  | "local-fw-udp"
  | "peer-rst"
  | "permission-missing"
  | "port-taken"
  | "refused"
  | "route-removed-new"
  | "server-restart-pool"
  | "slow-reader"
  | "syn-blackhole"
  | "tls-clock"
  | "tls-intercept"
  | "tls-wrong-name"
  | "used-after-close"
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
  /** What is really the matter. */
  readonly cause: string;
  /** Where it is known to arise. */
  readonly platforms: readonly Platform[];
  /** How to tell it from others that look the same. */
  readonly detect: string;
  /** What prevents it, or what to do about it. */
  readonly prevent: string;
}
