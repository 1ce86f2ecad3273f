// deno-lint-ignore-file no-console -- it answers by lines
// Runs in `unshare -Urnm`. A program opens a port and is killed with SIGKILL
// before or after each call of a tool, one run for each; then the tool is
// killed instead. Each time the next program must find the firewall as it was
// before, but for what is still promised. Arguments: the back end, and how many
// of the points are tried. Prints one JSON line.
import { assert, assertEquals } from "@std/assert";
import { runLocal } from "../_run_local.ts";
import {
  applyPlan,
  FirewallError,
  planAccess,
  reconcile,
  type Runner,
} from "../mod.ts";
import { BANNED, run } from "./lab.ts";
import {
  type Backend,
  privateRun,
  setUpBackend,
  snapshot,
} from "./managers.ts";

const [backend = "nft", most = "1000", role = "parent", point = "0"] = Deno
  .args as [Backend?, string?, string?, string?];
const ledger = "/run/ledger";
const request = { port: 8080 };

/** Kills this program at a call: even points before it, odd ones after it. */
function mortal(at: number, counter: { calls: number }): Runner {
  return async (call, options) => {
    const n = counter.calls++;
    if (2 * n === at) Deno.kill(Deno.pid, "SIGKILL");
    const answer = await runLocal(call, options);
    if (2 * n + 1 === at) Deno.kill(Deno.pid, "SIGKILL");
    return answer;
  };
}

/** Opens, renews and reverts, as a program does. */
async function live(runner: Runner): Promise<void> {
  const plan = await planAccess(request, { leaseSeconds: 600, run: runner });
  assert(plan.status === "ready", JSON.stringify(plan));
  const lease = await applyPlan(plan, {
    ...{ consent: true, ledger, run: runner },
  });
  await lease.renew();
  await lease.revert();
}

if (role === "child") {
  const counter = { calls: 0 };
  await live(mortal(Number(point), counter));
  console.log(counter.calls);
  Deno.exit(0);
}

await privateRun();
await run("ip link set lo up".split(" "));
await using _manager = await setUpBackend(backend, BANNED);
const before = await snapshot();

async function child(at: number): Promise<string> {
  const { stdout, success, signal } = await new Deno.Command(Deno.execPath(), {
    args: [
      ...["run", "--quiet", "--allow-all", import.meta.filename!],
      ...[backend, most, "child", String(at)],
    ],
    stderr: "inherit",
  }).output();
  assert(success || signal === "SIGKILL", `the child failed at ${at}`);
  return new TextDecoder().decode(stdout);
}

const calls = Number(await child(-1));
assert(calls > 10, String(calls));
assertEquals(await snapshot(), before, "a whole life left something");
const step = Math.max(1, Math.ceil(2 * calls / Number(most)));
let killed = 0;
let left = 0;
for (let at = 0; at < 2 * calls; at += step) {
  assertEquals(await child(at), "");
  killed++;
  if (await snapshot() !== before) left++;
  await reconcile({ ledger });
  assertEquals(await snapshot(), before, `killed at ${at} of ${2 * calls}`);
}

/** The tool itself is killed while it writes, after so many milliseconds. */
let refused = 0;
const delays = [0, 5, 20, 60, 110].slice(0, Math.max(2, Number(most) / 8));
for (const ms of delays) {
  let wrote = false;
  const brittle: Runner = async (call, options) => {
    const writes = call.stdin !== undefined || call.args.includes("allow") ||
      call.args.includes("addRichRule");
    if (!writes || wrote) return await runLocal(call, options);
    wrote = true;
    const seconds = String(Math.max(ms, 1) / 1000);
    const args = ["-s", "KILL", seconds, call.tool, ...call.args];
    return await runLocal({ ...call, tool: "timeout", args }, options);
  };
  try {
    await live(brittle);
  } catch (error) {
    assert(error instanceof FirewallError, String(error));
    refused++;
  }
  await reconcile({ ledger });
  assertEquals(await snapshot(), before, `the tool was killed after ${ms} ms`);
}
assertEquals(
  await Array.fromAsync(Deno.readDir(ledger)).then((names) =>
    names.map(({ name }) => name)
  ),
  ["lock"],
);
console.log(JSON.stringify({ backend, calls, killed, left, refused }));
