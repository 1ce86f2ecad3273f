// deno-lint-ignore-file no-console -- it answers by lines
// Runs in `unshare -Urnm`: plans are rehearsed on a copy of the firewall. One
// that the evaluator cannot judge, and that the kernel drops, must be found.
// Prints one JSON line.
import { assert, assertEquals, assertStringIncludes } from "@std/assert";
import { planAccess } from "../mod.ts";
import { BANNED, run } from "./lab.ts";
import { privateRun, setUpBackend, snapshot } from "./managers.ts";

await privateRun();
await run("ip link set lo up".split(" "));
const seen: string[] = [];
const requests = [
  { port: 8080, interface: "eth7" },
  { port: 8080, source: "10.0.0.0/8" },
  { port: 53, protocol: "udp", family: "ipv6" },
] as const;
for (const backend of ["nft", "iptables-nft", "iptables-legacy"] as const) {
  await using _host = await setUpBackend(backend, BANNED);
  const before = await snapshot();
  const links = await run(["ip", "-o", "link"]);
  for (const request of requests) {
    const plan = await planAccess(request, {
      rehearse: true,
      leaseSeconds: 60,
    });
    assert(plan.status === "ready", JSON.stringify(plan));
    seen.push(`${backend} ${plan.rehearsal?.status}`);
  }
  assertEquals(await snapshot(), before, "the host was touched");
  assertEquals(await run(["ip", "-o", "link"]), links);
  if (backend === "nft") await run("nft flush ruleset".split(" "));
  if (backend === "iptables-nft") await run("nft flush ruleset".split(" "));
  if (backend === "iptables-legacy") {
    for (
      const tool of ["iptables-legacy-restore", "ip6tables-legacy-restore"]
    ) {
      await run([tool], "*filter\n:INPUT ACCEPT\nCOMMIT\n");
    }
  }
}

// Options of TCP are not followed; each first packet of a peer has this one.
await run(
  ["nft", "-f", "-"],
  `table inet odd {
  chain in {
    type filter hook input priority 0; policy drop
    tcp option maxseg size 0-65535 drop
  }
}
`,
);
const request = { port: 8080, family: "ipv4" } as const;
const blind = await planAccess(request);
assert(blind.status === "ready" && blind.after.status === "unknown");
const tried = await planAccess(request, { rehearse: true });
assert(tried.status === "refused", JSON.stringify(tried));
assertStringIncludes(tried.why, "rehearsal failed");
console.log(JSON.stringify({ seen }));
