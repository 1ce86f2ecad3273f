import { assertEquals } from "@std/assert";
import { classifyLink, isMajor, type LinkClass } from "./mod.ts";
import { link, snapshot } from "./testdata/snapshots.ts";

Deno.test("classifyLink() tells by the kind, and by the name where that says nothing", () => {
  const table: readonly (readonly [string, string | undefined, LinkClass])[] = [
    ["lo", "loopback", "loopback"],
    ["lo0", undefined, "loopback"],
    ["enp3s0", "ether", "physical"],
    ["eth0", "ether", "physical"],
    ["en0", undefined, "physical"],
    ["Ethernet 2", undefined, "physical"],
    ["wlp2s0", "ether", "wireless"],
    ["wlan0", "ether", "wireless"],
    ["WLAN", undefined, "wireless"],
    ["Wi-Fi", undefined, "wireless"],
    ["awdl0", undefined, "wireless"],
    ["home", "wireguard", "vpn"],
    ["tailscale0", "tun", "vpn"],
    ["utun4", undefined, "vpn"],
    ["ppp0", "ppp", "vpn"],
    ["sit0", "sit", "vpn"],
    ["docker0", "bridge", "bridge"],
    ["bridge100", undefined, "bridge"],
    ["veth1a2b", "veth", "veth"],
    ["vEthernet (WSL)", undefined, "veth"],
    ["dummy0", "dummy", "virtual"],
    ["eth0.5", "vlan", "virtual"],
    ["bond0", "bond", "virtual"],
  ];
  for (const [name, kind, expected] of table) {
    const entry = { name, addresses: [], ...(kind !== undefined && { kind }) };
    assertEquals(classifyLink(entry), expected, `${name} ${kind}`);
  }
});

Deno.test("ignore may ask what an interface is: the own VPN is not major", () => {
  const eth0 = link("eth0", 2, "10.0.0.2");
  const wg0 = { ...link("work", 7, "10.9.0.2"), kind: "wireguard" };
  const before = snapshot([eth0, wg0], "10.0.0.1").effective.IPv4!;
  const after = { family: "IPv4", interface: "work" } as const;
  const through = {
    ...snapshot([eth0, wg0], "10.0.0.1"),
    effective: { IPv4: after },
  };
  const event = {
    type: "default-interface-changed",
    reason: "replaced",
    family: "IPv4",
    before,
    after,
  } as const;
  assertEquals(isMajor(event, through), true);
  const ignore = (_: string, entry?: Parameters<typeof classifyLink>[0]) =>
    entry !== undefined && classifyLink(entry) === "vpn";
  assertEquals(isMajor(event, through, { ignore }), false);
});
