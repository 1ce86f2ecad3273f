/** What the parts of the resolver say to each other. */

/** The two kinds of records that a connection needs. */
export type RecordType = "A" | "AAAA";

/** One address of a name. */
export interface ResolvedAddress {
  /** The address, without brackets. */
  readonly address: string;
  /** Its family. */
  readonly family: "v4" | "v6";
  /** For how long it may be kept, in seconds. */
  readonly ttlSeconds: number;
}

/** What one server said to one question; told apart by the rcode. */
export type DnsAnswer =
  | {
    readonly kind: "addresses";
    readonly addresses: readonly ResolvedAddress[];
  }
  /** NXDOMAIN: there is no such name. */
  | { readonly kind: "no-such-name" }
  /** NOERROR without a record of this type. */
  | { readonly kind: "no-data" }
  /** An address that no host has: a blocker or a portal answered. */
  | { readonly kind: "sinkhole"; readonly address: string }
  | { readonly kind: "server-failure" }
  | { readonly kind: "refused" }
  /** No socket could be opened to ask by. */
  | { readonly kind: "unsent"; readonly error: unknown }
  /** No answer in time. */
  | { readonly kind: "silent" }
  /** Whatever came is no answer to this question. */
  | { readonly kind: "malformed" };

/** Where to ask. */
export interface DnsServer {
  readonly hostname: string;
  readonly port: number;
}

/** Whether another server could not say it better. */
export function isConclusive({ kind }: DnsAnswer): boolean {
  return kind === "addresses" || kind === "no-such-name" || kind === "no-data";
}
