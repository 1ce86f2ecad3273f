import { assertEquals } from "@std/assert";
import { diffSnapshots } from "./diff.ts";
import { isMajor, type SeverityOptions } from "./severity.ts";
import type { NetworkInterface, NetworkSnapshot } from "./snapshot.ts";
import { address, link, snapshot } from "./testdata/snapshots.ts";

const GATEWAY = "10.0.0.1";
const eth0 = link("eth0", 2, "10.0.0.2");
const BASE = snapshot([eth0], GATEWAY);

/** The network with eth0 as it is given, and others before it. */
function with_(
  eth: NetworkInterface,
  ...others: readonly NetworkInterface[]
): NetworkSnapshot {
  return snapshot([...others, eth], GATEWAY);
}

function majors(
  before: NetworkSnapshot,
  after: NetworkSnapshot,
  options?: SeverityOptions,
): string[] {
  return diffSnapshots(before, after)
    .filter((event) => isMajor(event, after, options))
    .map(({ type }) => type);
}

function withAddress(
  text: string,
  flags: Partial<ReturnType<typeof address>> = {},
): NetworkSnapshot {
  const extra = { ...address(text), ...flags };
  return with_({ ...eth0, addresses: [...eth0.addresses, extra] });
}

Deno.test("another way out, another router behind it, no way out: major", () => {
  assertEquals(majors(BASE, snapshot([eth0], "10.0.0.9")), ["gateway-changed"]);
  assertEquals(majors(BASE, snapshot([eth0])), [
    "gateway-changed",
    "default-interface-changed",
    "offline",
  ]);
  const behind = (hardware: string): NetworkSnapshot => ({
    ...BASE,
    effective: { IPv4: { ...BASE.effective.IPv4!, hardware } },
  });
  assertEquals(majors(behind("a"), behind("b")), ["network-changed"]);
  assertEquals(majors(BASE, behind("a")), []);
});

Deno.test("what connections rest on: its carrier, its addresses", () => {
  const unplugged = with_({ ...eth0, carrier: false });
  assertEquals(majors(BASE, unplugged), ["carrier-lost", "offline"]);
  assertEquals(majors(BASE, withAddress("10.0.0.3")), ["address-added"]);
  assertEquals(majors(withAddress("10.0.0.3"), BASE), ["address-removed"]);
  const tentative = withAddress("2001:db8::3", { tentative: true });
  assertEquals(majors(BASE, tentative), []);
  assertEquals(majors(tentative, withAddress("2001:db8::3")), [
    "address-changed",
  ]);
});

Deno.test("containers, temporary and deprecated addresses, MTUs, worse routes: minor", () => {
  const veth = (i: number) => ({ ...link(`veth${i}`, 50 + i), kind: "veth" });
  let known = BASE;
  for (let i = 0; i < 1_000; i++) {
    const next = i % 2 === 0 ? with_(eth0, veth(i)) : BASE;
    assertEquals(majors(known, next), []);
    known = next;
  }
  const bridge = link("docker0", 3, "172.17.0.1");
  assertEquals(majors(BASE, with_(eth0, bridge)), []);
  assertEquals(majors(with_(eth0, bridge), BASE), []);
  const temporary = { temporary: true };
  assertEquals(majors(BASE, withAddress("2001:db8::9", temporary)), []);
  assertEquals(majors(withAddress("2001:db8::9", temporary), BASE), []);
  const old = withAddress("2001:db8::9", { deprecated: true });
  assertEquals(majors(withAddress("2001:db8::9"), old), []);
  assertEquals(majors(old, BASE), []);
  const local = withAddress("fe80::9", { scope: "link" });
  assertEquals(majors(BASE, local), []);
  assertEquals(majors(BASE, with_({ ...eth0, mtu: 1_400 })), []);
  const worse = {
    ...BASE.defaultRoutes[0]!,
    gateway: "10.0.0.7",
    metric: 900,
  };
  const two = snapshot([eth0], GATEWAY, {
    defaultRoutes: [...BASE.defaultRoutes, worse],
  });
  assertEquals(majors(BASE, two), []);
});

Deno.test("the program's own VPN is ignored, whether it is named or tested for", () => {
  const tunnelled = snapshot([eth0, link("tun7", 9, "10.9.0.2")], "10.9.0.1");
  const own: SeverityOptions[] = [
    { ignore: ["tun7"] },
    { ignore: (name) => name.startsWith("tun") },
  ];
  for (const options of own) {
    assertEquals(majors(BASE, tunnelled, options), []);
    assertEquals(majors(tunnelled, BASE, options), []);
  }
  assertEquals(majors(BASE, tunnelled), [
    "address-added",
    "gateway-changed",
    "default-interface-changed",
  ]);
});
