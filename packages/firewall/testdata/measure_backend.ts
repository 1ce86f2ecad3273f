// deno-lint-ignore-file no-console -- it answers by lines
// Runs in `unshare -Urnm`: how long it takes to look, to plan, to open and to
// revert with one back end, beside the same by hand. Argument: the back end.
// Prints one JSON line.
import { runLocal } from "../_run_local.ts";
import {
  applyPlan,
  type Call,
  checkAccess,
  inspectFirewall,
  planAccess,
  type Runner,
} from "../mod.ts";
import { BANNED, run } from "./lab.ts";
import { type Backend, privateRun, setUpBackend } from "./managers.ts";

const backend = Deno.args[0] as Backend;
const ROUNDS = 9;
const ledger = "/run/ledger";
const request = { port: 8080 };

const byHand: Readonly<
  Record<
    Backend,
    readonly [open: () => Promise<void>, shut: () => Promise<void>]
  >
> = {
  nft: [
    async () => {
      const rule = "tcp dport 8080 accept";
      await run(`nft insert rule inet host in ${rule}`.split(" "));
      await run(`nft insert rule inet strict in ${rule}`.split(" "));
    },
    async () => {
      for (const table of ["host", "strict"]) {
        const text = await run(`nft -a list chain inet ${table} in`.split(" "));
        const [, handle] = /dport 8080 accept # handle (\d+)/.exec(text)!;
        await run(
          `nft delete rule inet ${table} in handle ${handle}`.split(" "),
        );
      }
    },
  ],
  "iptables-nft": iptables("nft"),
  "iptables-legacy": iptables("legacy"),
  ufw: [
    async () => void await run("ufw allow 8080/tcp".split(" ")),
    async () => void await run("ufw delete allow 8080/tcp".split(" ")),
  ],
  "firewalld-nft": firewalld(),
  "firewalld-iptables": firewalld(),
};

function iptables(kind: string): typeof byHand["nft"] {
  const all = async (flag: string) => {
    for (const tool of ["iptables", "ip6tables"]) {
      const words = `${flag} INPUT -p tcp --dport 8080 -j ACCEPT`;
      await run([`${tool}-${kind}`, ...words.split(" ")]);
    }
  };
  return [() => all("-I"), () => all("-D")];
}

function firewalld(): typeof byHand["nft"] {
  return [
    async () => void await run(["firewall-cmd", "--add-port=8080/tcp"]),
    async () => void await run(["firewall-cmd", "--remove-port=8080/tcp"]),
  ];
}

const times: Record<string, number[]> = {};
async function time<T>(name: string, what: () => Promise<T>): Promise<T> {
  const start = performance.now();
  const result = await what();
  (times[name] ??= []).push(performance.now() - start);
  return result;
}

await privateRun();
await run("ip link set lo up".split(" "));
await using _manager = await setUpBackend(backend, BANNED);

const calls: Call[] = [];
const recorder: Runner = (call, options) => {
  calls.push(call);
  return runLocal(call, options);
};
await time("cold", () => checkAccess(request, { run: recorder }));
for (let i = 0; i < ROUNDS; i++) {
  await time("detect", () => inspectFirewall());
  await time("verdict", () => checkAccess(request));
  // The very calls that it makes, one after the other.
  await time("bare", async () => {
    for (const call of calls) await runLocal(call, {});
  });
  const plan = await time("plan", () => planAccess(request));
  if (plan.status !== "ready") throw new Error(JSON.stringify(plan));
  const options = { consent: true, ledger };
  const lease = await time("apply", () => applyPlan(plan, options));
  await time("revert", () => lease.revert());
  await time("hand_open", byHand[backend][0]);
  await time("hand_shut", byHand[backend][1]);
}
const median = (list: readonly number[]) =>
  list.toSorted((a, b) => a - b)[list.length >> 1]!;
console.log(JSON.stringify(Object.fromEntries(
  Object.entries(times).map(([name, list]) => [name, median(list)]),
)));
