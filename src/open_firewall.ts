import { applyPlan, planAccess, type WorkOptions } from "@holdfast/firewall";
import type { OpenPort, PortLease } from "./peer_options.ts";

/** Options for {@linkcode openFirewall}. */
export interface OpenFirewallOptions extends Omit<WorkOptions, "signal"> {
  /**
   * That whoever runs this program wants its port opened: `true`, or a few
   * words on who said so, which are written down.
   */
  readonly consent: true | string;
  /**
   * Who is let in: an address, or a range such as `192.168.0.0/16`. Left out:
   * everybody.
   */
  readonly source?: string | undefined;
  /**
   * After how many seconds the port closes by itself when this program was
   * killed; while it runs the lease is renewed.
   *
   * @default {120}
   */
  readonly leaseSeconds?: number | undefined;
  /**
   * The mark of the rules.
   *
   * @default {"holdfast"}
   */
  readonly tag?: string | undefined;
  /**
   * How often it is looked whether the rules are still there, in seconds.
   *
   * @default {5}
   */
  readonly watchSeconds?: number | undefined;
}

const NOTHING: PortLease = {
  [Symbol.asyncDispose]: () => Promise.resolve(),
};

/**
 * For the option `openPort` of `openPeer` and `serve`: opens their port in this
 * machine's own firewall by the smallest change, keeps it open, and takes back
 * exactly what it did. See `@holdfast/firewall` for what it may do and what not.
 *
 * ```ts
 * import { openFirewall, serve } from "@holdfast/holdfast";
 *
 * export async function game(): Promise<void> {
 *   await using server = await serve(
 *     (conn) => conn.readable.pipeTo(conn.writable),
 *     { port: 4000, openPort: openFirewall({ consent: true }) },
 *   );
 *   for (const { reason } of server.state.limited) console.warn(reason);
 *   await server.finished;
 * }
 * ```
 */
export function openFirewall(options: OpenFirewallOptions): OpenPort {
  const { consent, source, tag, ...work } = options;
  const { leaseSeconds = 120, watchSeconds = 5 } = options;
  return async ({ port, protocol }) => {
    const request = { port, protocol, source };
    const plan = await planAccess(request, { ...work, tag, leaseSeconds });
    if (plan.status === "nothing-to-do") return NOTHING;
    if (plan.status === "refused") throw new Error(plan.why);
    return await applyPlan(plan, { ...work, consent, watchSeconds });
  };
}
