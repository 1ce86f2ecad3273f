import type { LayerName } from "./outcome.ts";

/** What is known of one layer. */
export type LayerReport =
  & { readonly layer: LayerName }
  & (
    /** It filters, or may filter, packets now. */
    | { readonly status: "active"; readonly detail: string }
    /** It is there, and lets everything pass. */
    | { readonly status: "inactive"; readonly detail: string }
    /** It is not installed. */
    | { readonly status: "absent"; readonly detail: string }
    /** It cannot be told, and why. */
    | {
      readonly status: "unknown";
      readonly why: string;
      /** What a user with the rights can run to see it. */
      readonly command?: string;
    }
  );

/** Which firewalls this machine has. A plain object. */
export interface FirewallReport {
  /** The system, as `Deno.build.os` names it. */
  readonly system: string;
  /**
   * Whether this process may read (and change) the rules of the kernel:
   * CAP_NET_ADMIN on Linux. Undefined where it cannot be told.
   */
  readonly rights: boolean | undefined;
  /** Each layer, those nearest to the kernel first. */
  readonly layers: readonly LayerReport[];
}
