// deno-lint-ignore-file no-console -- it answers by lines
// Runs in `unshare -Urnm`: random sequences of what two programs and a user do
// to one firewall. At the end all leases are reverted, and what is left must be
// what the user alone would have made. Arguments: back end, seed, sequences.
// Prints one JSON line; fails with the sequence and a command that replays it.
import { assertEquals } from "@std/assert";
import fc from "fast-check";
import {
  applyPlan,
  checkAccess,
  type Lease,
  listRules,
  planAccess,
} from "../mod.ts";
import { BANNED, run } from "./lab.ts";
import {
  type Backend,
  privateRun,
  setUpBackend,
  snapshot,
} from "./managers.ts";

const [backend = "nft", seedText = "1", countText = "5", skipText = "0"] = Deno
  .args as [Backend?, string?, string?, string?];
const [seed, count, skip] = [seedText, countText, skipText].map(Number) as [
  number,
  number,
  number,
];
const ledger = "/run/ledger";
const PORTS = [8080, 8081];

/** What the user does, by the words of the back end; it can be done again. */
type Deed =
  | { readonly type: "ban"; readonly at: number }
  | { readonly type: "unban"; readonly at: number }
  | { readonly type: "allow"; readonly at: number };
type Step =
  | { readonly type: "user"; readonly deed: Deed }
  | {
    readonly type: "open";
    readonly program: "a" | "b";
    readonly port: number;
    readonly lan: boolean;
    readonly lease: boolean;
  }
  | { readonly type: "renew" | "revert" | "check"; readonly which: number };

const at = fc.integer({ min: 1, max: 3 });
const step: fc.Arbitrary<Step> = fc.oneof(
  fc.record({
    type: fc.constant("user" as const),
    deed: fc.record({
      type: fc.constantFrom("ban" as const, "unban" as const, "allow" as const),
      at,
    }),
  }),
  fc.record({
    type: fc.constant("open" as const),
    program: fc.constantFrom("a" as const, "b" as const),
    port: fc.constantFrom(...PORTS),
    lan: fc.boolean(),
    lease: fc.boolean(),
  }),
  fc.record({
    type: fc.constantFrom(
      "renew" as const,
      "revert" as const,
      "revert" as const,
      "check" as const,
    ),
    which: fc.nat(3),
  }),
);
const sequences = fc.array(step, { minLength: 3, maxLength: 8 });

/** Does one deed; undoing what is not there is no deed. */
async function user({ type, at }: Deed, done: Set<string>): Promise<void> {
  const address = `10.50.0.${at}`;
  const key = `${type === "allow" ? "allow" : "ban"} ${at}`;
  const there = done.has(key);
  if (type === "unban" ? !there : there) return;
  if (type === "unban") done.delete(key);
  else done.add(key);
  await deeds[backend](type, address, 9000 + at);
}

type Doer = (
  type: Deed["type"],
  address: string,
  port: number,
) => Promise<unknown>;

const iptables = (tool: string): Doer => async (type, address, port) =>
  await run([
    tool,
    ...(type === "allow"
      ? ["-A", "INPUT", "-p", "tcp", "--dport", `${port}`, "-j", "ACCEPT"]
      : [type === "ban" ? "-I" : "-D", "INPUT", "-s", address, "-j", "DROP"]),
  ]);
const firewalld: Doer = async (type, address, port) =>
  await run([
    "firewall-cmd",
    type === "allow"
      ? `--add-port=${port}/tcp`
      : `--${
        type === "ban" ? "add" : "remove"
      }-rich-rule=rule family="ipv4" source address="${address}" drop`,
  ]);
const deeds: Readonly<Record<Backend, Doer>> = {
  nft: async (type, address, port) => {
    if (type !== "unban") {
      const rule = type === "allow"
        ? `tcp dport ${port} accept`
        : `ip saddr ${address} drop`;
      const verb = type === "allow" ? "add" : "insert";
      return await run([
        "nft",
        ...`${verb} rule inet host in ${rule}`.split(" "),
      ]);
    }
    const text = await run("nft -a list chain inet host in".split(" "));
    const [, handle] = new RegExp(`saddr ${address} drop # handle (\\d+)`)
      .exec(text)!;
    return await run(
      `nft delete rule inet host in handle ${handle}`.split(" "),
    );
  },
  "iptables-nft": iptables("iptables-nft"),
  "iptables-legacy": iptables("iptables-legacy"),
  ufw: async (type, address, port) =>
    await run(
      type === "allow"
        ? ["ufw", "allow", `${port}/tcp`]
        : type === "ban"
        ? ["ufw", "prepend", "deny", "from", address]
        : ["ufw", "delete", "deny", "from", address],
    ),
  "firewalld-nft": firewalld,
  "firewalld-iptables": firewalld,
};

/** The host anew, with what the user has done to it and nothing else. */
async function reset(): Promise<void> {
  switch (backend) {
    case "nft":
      await run("nft flush ruleset".split(" "));
      await setUpBackend(backend, BANNED);
      return;
    case "iptables-nft":
    case "iptables-legacy":
      await setUpBackend(backend, BANNED);
      return;
    case "ufw":
      await run(
        "cp /run/fresh/user.rules /run/fresh/user6.rules /etc/ufw".split(" "),
      );
      await run("ufw reload".split(" "));
      return;
    default:
      await run(["firewall-cmd", "--reload"]);
  }
}

await privateRun();
await run("ip link set lo up".split(" "));
await using _manager = await setUpBackend(backend, BANNED);
if (backend === "ufw") await run("cp -a /etc/ufw /run/fresh".split(" "));
const counts = { sequences: 0, opened: 0, inexact: 0 };
for (
  const steps of fc.sample(sequences, { seed, numRuns: count + skip })
    .slice(skip)
) {
  await reset();
  const done = new Set<string>();
  const deedsDone: Deed[] = [];
  const leases: Lease[] = [];
  const play = async (step: Step): Promise<void> => {
    if (step.type === "user") {
      deedsDone.push(step.deed);
      return await user(step.deed, done);
    }
    if (step.type !== "open") {
      const lease = leases[step.which % Math.max(leases.length, 1)];
      if (lease === undefined) return;
      if (step.type === "revert") await lease.revert();
      else if (step.type === "renew") await lease.renew();
      else if (lease.state === "open") {
        assertEquals((await lease.check()).status, "open");
      }
      return;
    }
    const { port, lan, program } = step;
    const request = { port, source: lan ? "10.0.0.0/8" : undefined };
    const plan = await planAccess(request, {
      tag: program,
      leaseSeconds: step.lease ? 600 : undefined,
    });
    assertEquals(plan.status, "ready", JSON.stringify(plan));
    if (plan.status !== "ready") return;
    leases.push(await applyPlan(plan, { consent: true, ledger }));
    counts.opened++;
    assertEquals((await checkAccess(request)).status, "open");
  };
  try {
    for (const step of steps) await play(step);
    for (const lease of leases) await lease.revert();
    assertEquals(await listRules({ ledger }), []);
    const left = await snapshot();
    await reset();
    const again = new Set<string>();
    for (const deed of deedsDone) await user(deed, again);
    assertEquals(left, await snapshot(), "it was not reverted exactly");
  } catch (cause) {
    throw new Error(
      `${JSON.stringify(steps)}
Replay: unshare -Urnm deno run -A packages/firewall/testdata/sequences.ts ${backend} ${seed} 1 ${
        skip + counts.sequences
      }`,
      { cause },
    );
  }
  counts.sequences++;
}
console.log(JSON.stringify({ backend, ...counts }));
