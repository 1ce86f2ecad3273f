// deno-lint-ignore-file no-console -- it answers by lines
// Runs in `unshare -Urnm`: one back end from blocked to opened to reverted,
// with a real server and a real peer. Argument: the back end. Prints one JSON
// line; fails with what was not as it should be.
import { assert, assertEquals, assertStringIncludes } from "@std/assert";
import { whyForbidden } from "../_guard_rules.ts";
import {
  applyPlan,
  checkAccess,
  inspectFirewall,
  listRules,
  planAccess,
} from "../mod.ts";
import { BANNED, Lab, LINK, OURS, PEERS, type Probe } from "./lab.ts";
import {
  type Backend,
  denyPort,
  privateRun,
  setUpBackend,
  snapshot,
} from "./managers.ts";

const backend = Deno.args[0] as Backend;
const PORT = 8080;
const OTHER = 8081;
const SHORT_MS = 300;
const LONG_MS = 5000;
const ledger = "/run/ledger";

await privateRun();
await using lab = await Lab.open([PORT, OTHER], { udp: true });
await using _manager = await setUpBackend(backend, BANNED);

/** Asked port by both families; others; and a banned peer. */
async function reach(open: boolean): Promise<void> {
  const asked = open ? LONG_MS : SHORT_MS;
  const probes: Probe[] = [
    [OURS.ipv4, PORT, asked, "tcp", PEERS.ipv4],
    [OURS.ipv6, PORT, asked, "tcp", PEERS.ipv6],
    [OURS.ipv4, OTHER, SHORT_MS, "tcp", PEERS.ipv4],
    [OURS.ipv4, PORT, SHORT_MS, "udp", PEERS.ipv4],
    [OURS.ipv4, PORT, SHORT_MS, "tcp", BANNED.ipv4],
    [OURS.ipv6, PORT, SHORT_MS, "tcp", BANNED.ipv6],
  ];
  assertEquals(
    await lab.probe(probes),
    [open, open, false, false, false, false],
  );
}

const request = { port: PORT, interface: LINK };
await reach(false);
const before = await snapshot();
const blocked = await checkAccess(request);
assertEquals(blocked.status, "blocked-by", blocked.why);
const report = await inspectFirewall();
const layer = backend.replace(/^nft$/, "nftables").replace(/(wall.)-.*/, "$1");
const active = report.layers.find((one) => one.layer === layer);
assertEquals(active?.status, "active", JSON.stringify(report));

const plan = await planAccess(request, { tag: "e2e", leaseSeconds: 600 });
assert(plan.status === "ready", JSON.stringify(plan));
assertEquals(plan.steps.map(whyForbidden).filter(Boolean), []);
assertEquals(await snapshot(), before, "planning changed something");
const lease = await applyPlan(plan, { consent: "the test", ledger });
await reach(true);
const opened = await checkAccess(request);
assertEquals(opened.status, "open", opened.why);
const banned = { ...request, source: BANNED.ipv4 };
assertEquals((await checkAccess(banned)).status, "blocked-by");
const listed = await listRules({ ledger });
assert(
  listed.length > 0 && listed.every(({ tag, held }) => tag === "e2e" && held),
  JSON.stringify(listed),
);

// Another program for the same port, with rules of its own.
const second = await planAccess(request, { tag: "two", leaseSeconds: 600 });
assert(second.status === "ready", JSON.stringify(second));
const other = await applyPlan(second, { consent: true, ledger });
await lease.renew();
await lease.revert();
await reach(true);
await other.renew();
await reach(true);
await other.revert();
await reach(false);
assertEquals(await snapshot(), before, "it was not reverted exactly");
assertEquals(await listRules({ ledger }), []);

// What the user denies on purpose is explained, and is not overridden.
await denyPort(backend, OTHER);
const denied = await snapshot();
const refused = await planAccess({ port: OTHER, interface: LINK });
assert(refused.status === "refused", JSON.stringify(refused));
assertStringIncludes(refused.why, "on purpose");
assertEquals(await snapshot(), denied);
// Unless the user says so; and then the denial stays where it is.
const over = await planAccess(
  { port: OTHER, interface: LINK },
  { overrideDeny: true },
);
if (layer === "firewalld") {
  // Its denials come before its allowances, whatever one asks for.
  assertEquals(over.status, "refused", JSON.stringify(over));
} else {
  assert(over.status === "ready", JSON.stringify(over));
  const forced = await applyPlan(over, { consent: true, ledger });
  assertEquals(
    await lab.probe([[OURS.ipv4, OTHER, LONG_MS], [
      OURS.ipv4,
      PORT,
      SHORT_MS,
    ]]),
    [true, false],
  );
  await forced.revert();
  assertEquals(await snapshot(), denied, "an override was not reverted");
}
console.log(JSON.stringify({
  ...{ backend, layer: blocked.status === "blocked-by" && blocked.layer },
  tools: [...new Set(plan.steps.map(({ argv }) => argv[0]))],
  changed: plan.proof?.changed,
}));
