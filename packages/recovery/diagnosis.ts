/** A root cause that the doctor tells from the others. */
export type CauseId =
  | "address-conflict"
  | "address-tentative"
  | "broker-unreachable"
  | "clock-wrong"
  | "descriptors-exhausted"
  | "duplicate-address"
  | "firewall-blocks"
  | "gateway-silent"
  | "idle-dropped"
  | "ipv6-broken"
  | "local-firewall"
  | "mtu-black-hole"
  | "name-sinkholed"
  | "name-unknown"
  | "no-address"
  | "no-carrier"
  | "no-link"
  | "no-resolver"
  | "no-route"
  | "not-tls"
  | "portal"
  | "ports-exhausted"
  | "proxy-broken"
  | "resolver-dead"
  | "resolver-failing"
  | "resolver-silent"
  | "route-forbidden"
  | "service-frozen"
  | "target-refused"
  | "target-rejected"
  | "target-silent"
  | "tls-name"
  | "tls-untrusted"
  | "tls-validity"
  | "upstream-silent";

/** A rung of the ladder from the interface to the application. */
export type StepId =
  | "system"
  | "link"
  | "address"
  | "conflict"
  | "route"
  | "gateway"
  | "firewall"
  | "proxy"
  | "names"
  | "internet"
  | "portal"
  | "clock"
  | "connection"
  | "tls"
  | "service"
  | "packets"
  | "idle"
  | "brokers";

/** What was found on one rung. */
export interface Step {
  /** Which rung. */
  readonly id: StepId;
  /** `unknown` where it could not be asked, or does not apply. */
  readonly state: "failed" | "ok" | "unknown" | "warning";
  /** What was seen, in one sentence. */
  readonly evidence: string;
}

/** What is wrong, and what to do. */
export interface Cause {
  /** Which cause. */
  readonly id: CauseId;
  /** The rung that shows it. */
  readonly step: StepId;
  /** What is wrong, in one sentence. */
  readonly what: string;
  /** What shows it. */
  readonly evidence: string;
  /** One thing to do, mostly a command. */
  readonly fix: string;
  /** Whether it works all the same, only worse. */
  readonly minor: boolean;
}

/** What the doctor says; plain JSON. */
export interface Diagnosis {
  /** Whether nothing is wrong that would keep the program from working. */
  readonly healthy: boolean;
  /** The root cause first; what follows from it comes after. */
  readonly causes: readonly Cause[];
  /** Every rung, from the interface to the application. */
  readonly steps: readonly Step[];
  /** How long it took, in milliseconds. */
  readonly tookMs: number;
}
