import { assertEquals } from "@std/assert";
import { runs } from "@holdfast/testkit";
import fc from "fast-check";
import { parseIfconfig } from "./_ifconfig.ts";
import { readBsd, type Run } from "./_read_bsd.ts";
import { RouteHints } from "./_route_monitor.ts";
import { diffSnapshots } from "./diff.ts";
import { recorded } from "./testdata/recorded.ts";

const MACOS = recorded("ifconfig_macos.txt");

/** Answers as a system did: nothing of this one is asked. */
function recordedRun(answers: Readonly<Record<string, string>>): Run {
  return (command) => {
    const stdout = answers[command];
    return Promise.resolve(
      stdout === undefined
        ? {
          ok: false,
          why: "not-found",
          message: `${command} is not installed`,
          cause: undefined,
        }
        : { ok: true, stdout },
    );
  };
}

Deno.test("parseIfconfig() tells the links and addresses of macOS", () => {
  const links = parseIfconfig(MACOS)!;
  assertEquals(
    links.map((
      { name, up, carrier, mtu, kind },
    ) => [name, up, carrier, mtu, kind]),
    [
      ["lo0", true, true, 16384, "loopback"],
      ["gif0", false, undefined, 1280, "tun"],
      ["en0", true, true, 1500, undefined],
      ["en5", true, false, 1500, undefined],
      ["utun3", true, true, 1380, "tun"],
    ],
  );
  assertEquals(
    links[2]!.addresses.map((one) => [
      `${one.address}/${one.prefix}`,
      one.scope,
      one.deprecated,
      one.temporary,
    ]),
    [
      ["fe80::c1a:2b3c:4d5e:6f70/64", "link", false, false],
      ["192.168.1.23/24", "global", false, false],
      ["2001:db8:1::23/64", "global", false, false],
      ["2001:db8:1::77/64", "global", false, true],
      ["2001:db8:1::66/64", "global", true, true],
    ],
  );
  const tunnel = links[4]!.addresses;
  assertEquals(tunnel.map(({ prefix, tentative }) => [prefix, tentative]), [
    [32, false],
    [64, true],
  ]);
});

Deno.test("parseIfconfig() tells those of FreeBSD, with dotted masks too", () => {
  const links = parseIfconfig(recorded("ifconfig_freebsd.txt"))!;
  assertEquals(
    links.map(({ name, up, carrier }) => [name, up, carrier]),
    [["em0", true, true], ["em1", false, undefined], ["lo0", true, true]],
  );
  assertEquals(links[2]!.addresses.map(({ prefix }) => prefix), [128, 8]);
  assertEquals(parseIfconfig("ifconfig: unknown option\n"), undefined);
});

Deno.test("a drawn cable and a new gateway of a recorded Mac are told as what they are", async () => {
  const netstat = recorded("netstat_macos_vpn.txt");
  const before = await readBsd(
    undefined,
    recordedRun({ ifconfig: MACOS, netstat }),
  );
  assertEquals(before.sees, ["addresses", "links", "routes"]);
  assertEquals(before.problems, []);
  const drawn = MACOS.replace("status: active", "status: inactive");
  const after = await readBsd(
    undefined,
    recordedRun({ ifconfig: drawn, netstat }),
  );
  assertEquals(
    diffSnapshots(before, after).map(({ type, reason }) => [type, reason])[0],
    ["carrier-lost", "no-carrier"],
  );
});

Deno.test("a tool that is missing is named, and the other one is used", async () => {
  const snapshot = await readBsd(undefined, recordedRun({ ifconfig: MACOS }));
  assertEquals(snapshot.sees, ["addresses", "links"]);
  assertEquals(snapshot.problems, [
    "Routes are not seen: netstat is not installed",
  ]);
});

Deno.test("route monitor: changes are reasons to look, questions and misses are none", () => {
  const message = (line: string) =>
    `got message of size 112 on Tue May 12 12:19:43 2020\n${line}\nlocks:  inits:\nsockaddrs: <DST,IFP>\n\n`;
  const isReason = (line: string) => new RouteHints().feed(message(line));
  const reasons = [
    "RTM_IFINFO: iface status change: len 112, if# 5, flags:<UP,BROADCAST>",
    "RTM_NEWADDR: address being added to iface: len 88, metric 0, flags:<UP>",
    "RTM_DELADDR: address being removed from iface: len 88",
    "RTM_ADD: Add Route: len 148, pid: 113, seq 1, errno 0",
    "RTM_DELETE: Delete Route: len 148, pid: 113, seq 2, errno 0",
    "RTM_CHANGE: Change Metrics or flags: len 148",
    "RTM_IFANNOUNCE: iface arrival/departure: len 24, if# 7",
  ];
  for (const line of reasons) assertEquals(isReason(line), true, line);
  const others = [
    "RTM_MISS: Lookup failed on this address: len 120, pid: 0",
    "RTM_GET: Report Metrics: len 128, pid: 77, seq 1",
    "RTM_LOSING: Kernel Suspects Partitioning: len 120",
    "RTM_NEWMADDR: new multicast group membership on iface: len 64",
    "RTM_DELMADDR: multicast group membership removed from iface: len 64",
  ];
  for (const line of others) assertEquals(isReason(line), false, line);
  const hints = new RouteHints();
  // A storm of misses, as Macs have them, is no reason to look at all.
  assertEquals(hints.feed(message(others[0]!).repeat(1_000)), false);
});

Deno.test("route monitor: a message torn anywhere is a reason once it is whole", () => {
  const text = "got message of size 112\nRTM_ADD: Add Route: len 148\n";
  for (let at = 0; at <= text.length; at++) {
    const hints = new RouteHints();
    const heard = [hints.feed(text.slice(0, at)), hints.feed(text.slice(at))];
    assertEquals(heard.filter((is) => is).length, 1, `torn at ${at}`);
  }
});

Deno.test("any text is no ifconfig, or one whose addresses stand in it", () => {
  const piece = fc.oneof(
    fc.string(),
    fc.constantFrom(
      ...["en0: flags=8863<UP,RUNNING> mtu 1500\n", "\tinet ", "\tinet6 "],
      ...["192.168.1.2", "fe80::1%en0", " netmask 0xffffff00", "\n"],
      ...[" prefixlen 64", " netmask 0x00ff00ff", "\tstatus: active\n"],
    ),
  );
  fc.assert(
    fc.property(fc.array(piece, { maxLength: 30 }), (pieces) => {
      const text = pieces.join("");
      new RouteHints().feed(text);
      for (const { addresses } of parseIfconfig(text) ?? []) {
        for (const { address, prefix } of addresses) {
          assertEquals(text.includes(address), true);
          assertEquals(prefix >= 0 && prefix <= 128, true);
        }
      }
    }),
    { numRuns: runs(500) },
  );
});
