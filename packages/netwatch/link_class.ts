import type { NetworkInterface } from "./snapshot.ts";

/** What an interface is to a program. */
export type LinkClass =
  | "loopback"
  | "physical"
  | "wireless"
  | "vpn"
  | "bridge"
  | "veth"
  | "virtual";

/** Kinds of `ip -d link` that carry packets inside other packets. */
const TUNNELS: ReadonlySet<string> = new Set([
  ...["wireguard", "tun", "tap", "ppp", "ipip", "sit", "gre", "gretap"],
  ...["ip6tnl", "ip6gre", "vti", "vti6", "xfrm", "l2tp", "ovpn"],
  ...["tunnel", "tunnel6", "none"],
]);

/** Kinds that stand for a cable or a radio, where no name says more. */
const HARDWARE: ReadonlySet<string> = new Set(["ether", "infiniband"]);

const WIRELESS_NAME =
  /^(wl|wlan|ath|wwan|awdl|llw|ra\d|wifi)|wi-?fi|wireless|drahtlos|inalámbric|sans fil|sem fio|无线|ワイヤレス/i;
const VPN_NAME = /^(utun|tun|tap|wg|ppp|ipsec|gif|stf|tailscale|zt)|vpn/i;

/**
 * What an interface is, by the kind that the system tells and, where that does
 * not decide, by its name: no system tells everywhere whether an interface is a
 * radio. A name is a habit, not a promise: take it for display and filters, as
 * in `ignore` of `watchNetwork`, and not for security.
 *
 * ```ts
 * import { classifyLink } from "@holdfast/netwatch";
 * import { assertEquals } from "@std/assert";
 *
 * const link = { addresses: [] };
 * assertEquals(classifyLink({ ...link, name: "wlp2s0", kind: "ether" }), "wireless");
 * assertEquals(classifyLink({ ...link, name: "enp3s0", kind: "ether" }), "physical");
 * assertEquals(classifyLink({ ...link, name: "work", kind: "wireguard" }), "vpn");
 * ```
 */
export function classifyLink(
  { name, kind }: NetworkInterface,
): LinkClass {
  if (kind === "loopback" || kind === undefined && /^lo\d*$/.test(name)) {
    return "loopback";
  }
  if (kind === "veth" || kind === "bridge") return kind;
  if (kind !== undefined && TUNNELS.has(kind)) return "vpn";
  if (kind !== undefined && !HARDWARE.has(kind)) return "virtual";
  // Hardware as far as the system says: a name may still tell otherwise.
  if (VPN_NAME.test(name)) return "vpn";
  if (WIRELESS_NAME.test(name)) return "wireless";
  if (/^(br-|bridge|virbr|docker)/.test(name)) return "bridge";
  if (/^(veth|vEthernet)/.test(name)) return "veth";
  return "physical";
}
