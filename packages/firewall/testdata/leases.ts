// deno-lint-ignore-file no-console -- it answers by lines
// Runs in `unshare -Urnm`: what happens to a lease while it lives, and after
// its program was killed. Argument: the back end. Prints one JSON line.
import { assert, assertEquals, assertRejects } from "@std/assert";
import {
  applyPlan,
  checkAccess,
  FirewallError,
  type FirewallEvent,
  planAccess,
  reconcile,
  revertAll,
} from "../mod.ts";
import { BANNED, Lab, LINK, OURS, PEERS, run } from "./lab.ts";
import {
  type Backend,
  privateRun,
  setUpBackend,
  snapshot,
} from "./managers.ts";

const [backend = "nft", role = "parent"] = Deno.args as [Backend?, string?];
const PORT = 8080;
const ledger = "/run/ledger";
const request = { port: PORT, interface: LINK };

if (role === "holder") {
  const plan = await planAccess(request, { tag: "mortal", leaseSeconds: 20 });
  assert(plan.status === "ready", JSON.stringify(plan));
  const lease = await applyPlan(plan, { consent: true, ledger });
  console.log(lease.id);
  await new Promise(() => setInterval(() => {}, 1000));
}

await privateRun();
await using lab = await Lab.open([PORT]);
await using _manager = await setUpBackend(backend, BANNED);
const before = await snapshot();
const isOpen = async (ms: number) =>
  (await lab.probe([[OURS.ipv4, PORT, ms]]))[0]!;

/** A program that is killed: the kernel, or firewalld, closes the port. */
async function killedHolder(): Promise<boolean> {
  const child = new Deno.Command(Deno.execPath(), {
    args: [
      ...["run", "--quiet", "--allow-all", import.meta.filename!],
      ...[backend, "holder"],
    ],
    stdout: "piped",
  }).spawn();
  const reader = child.stdout.getReader();
  const { value } = await reader.read();
  assert(value !== undefined, "the holder did not open it");
  child.kill("SIGKILL");
  await child.status;
  await reader.cancel();
  assert(await isOpen(5000), "it was closed at once");
  for (const deadline = Date.now() + 90_000; await isOpen(300);) {
    assert(Date.now() < deadline, "it was never closed");
    await new Promise((resolve) => setTimeout(resolve, 500));
  }
  return true;
}

/** What another program does to the rules, in the words of the back end. */
async function flush(): Promise<void> {
  switch (backend) {
    case "nft": {
      const text = await run(["nft", "-a", "list", "ruleset"]);
      for (const [table, chain] of [["host", "in"], ["strict", "in"]]) {
        const at = text.indexOf(`table inet ${table}`);
        const [, handle] = /hf:live:.* # handle (\d+)/.exec(text.slice(at))!;
        const words = `nft delete rule inet ${table} ${chain} handle ${handle}`;
        await run(words.split(" "));
      }
      return;
    }
    case "iptables-nft":
    case "iptables-legacy": {
      const kind = backend.slice("iptables-".length);
      for (const tool of ["iptables", "ip6tables"]) {
        const saved = await run([`${tool}-${kind}-save`]);
        const rest = saved.split("\n").filter((l) => !l.includes("hf:live:"));
        await run([`${tool}-${kind}-restore`], rest.join("\n"));
      }
      return;
    }
    case "ufw":
      await run(
        `ufw delete allow in on ${LINK} proto tcp from any to any port ${PORT}`
          .split(" "),
      );
      return;
    default:
      // Runtime rules are gone after it; so is the ban, which we put back.
      await run(["firewall-cmd", "--reload"]);
  }
}

const plan = await planAccess(request, { tag: "live", leaseSeconds: 60 });
assert(plan.status === "ready", JSON.stringify(plan));
for (const consent of [false, ""]) {
  const error = await assertRejects(
    () => applyPlan(plan, { consent, ledger }),
    FirewallError,
  );
  assertEquals(error.code, "firewall/no-consent");
}
assertEquals(await snapshot(), before);

const lease = await applyPlan(plan, { consent: true, ledger });
const types: FirewallEvent["type"][] = [];
lease.on("*", ({ type }) => types.push(type));
assert(await isOpen(5000));
await lease.renew();
assert(await isOpen(5000));
await flush();
assertEquals(await isOpen(300), false);
assertEquals((await lease.check()).status, "open");
assert(await isOpen(5000), "it was not put back");
// The same plan does not fit any more, or there is nothing left to do.
assert(await lab.stay(OURS.ipv4, PORT));
let flows: readonly string[] = [];
lease.on("reverted", (event) => flows = event.flows);
const again = await applyPlan(plan, { consent: true, ledger })
  .then(() => "applied", (error) => (error as FirewallError).code);
await lease.revert();
assertEquals(await isOpen(300), false);
assertEquals(lease.state, "reverted");
// Who is inside stays inside, and is named.
assertEquals(flows.map((flow) => flow.split(":")[0]), [PEERS.ipv4]);

// A lease that is left alone is found by its tag.
const detached = await planAccess(request, { tag: "left", leaseSeconds: 600 });
assert(detached.status === "ready");
const kept = await applyPlan(detached, { consent: true, ledger });
await kept.detach();
assertEquals(await reconcile({ ledger }), []);
assert(await isOpen(5000), "a detached lease was taken back");
assertEquals(await revertAll("left", { ledger }), [kept.id]);
assertEquals(await isOpen(300), false);
const closes = backend === "ufw" ? "no" : await killedHolder();
const orphans = await reconcile({ ledger });
if (!backend.startsWith("firewalld")) assertEquals(await snapshot(), before);
const { status } = await checkAccess(request);
if (backend === "ufw") {
  // It is switched off meanwhile: its files are cleaned all the same.
  const late = await planAccess(request, { tag: "late" });
  assert(late.status === "ready");
  const off = await applyPlan(late, { consent: true, ledger });
  await run("ufw disable".split(" "));
  await off.revert();
  const rules = await Deno.readTextFile("/etc/ufw/user.rules");
  assert(!rules.includes("comment=6866"), rules);
}
console.log(JSON.stringify({
  ...{ backend, types, again, closes, orphans: orphans.length, status },
}));
