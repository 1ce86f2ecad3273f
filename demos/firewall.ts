// deno-lint-ignore-file no-console -- a demo writes lines
/**
 * What this machine's firewall would do about port 8080, and what would have to
 * be done. Then, in a network namespace of its own, the whole round: blocked,
 * planned, the plan applied there, open, reverted. Nothing is changed on this machine.
 *
 * deno run --allow-run --allow-net=10.77.0.1 demos/firewall.ts
 *
 * @module
 */
import {
  applyPlan,
  checkAccess,
  inspectFirewall,
  planAccess,
  type PlanStep,
} from "@holdfast/firewall";

const PORT = 8080;
const SERVER = "10.77.0.1";
const CLIENT = "10.77.0.2";
/** A file system of the namespace, which ends with it. */
const LEDGER = "/run/holdfast";

/** Runs a command of the round; its output is nobody's business but ours. */
async function run(
  [command, ...args]: readonly string[],
  stdin = "",
): Promise<boolean> {
  const child = new Deno.Command(command!, {
    args,
    stdin: "piped",
    stdout: "null",
    stderr: "inherit",
  }).spawn();
  const writer = child.stdin.getWriter();
  await writer.write(new TextEncoder().encode(stdin)).catch(() => {});
  await writer.close().catch(() => {});
  return (await child.status).success;
}

/** Shows what is known of this machine; true for whatever that is. */
async function show(): Promise<void> {
  console.log("This machine:");
  for (const layer of (await inspectFirewall()).layers) {
    const detail = layer.status === "unknown" ? layer.why : layer.detail;
    console.log(`  ${layer.layer}: ${layer.status} (${detail})`);
  }
  const outcome = await checkAccess({ port: PORT });
  console.log(`  port ${PORT}: ${outcome.status} (${outcome.why})`);
  const plan = await planAccess({ port: PORT });
  console.log(`  plan: ${plan.status}`);
  if (plan.status === "ready") plan.steps.forEach(showStep);
}

function showStep({ sentence, argv, stdin }: PlanStep): void {
  console.log(`  ${sentence}\n    ${argv.join(" ")}`);
  if (stdin !== undefined) console.log(`    input: ${stdin}`);
}

/** Whether the client, in its own namespace, gets a byte from the server. */
async function reach(clientPid: number): Promise<boolean> {
  // bash speaks TCP by itself; Deno there would need a start of its own.
  const script =
    `exec 2>&-; exec 3<>/dev/tcp/${SERVER}/${PORT} && head -c1 <&3 | grep -q x`;
  return await run([
    ..."nsenter -n -t".split(" "),
    String(clientPid),
    ..."timeout 5 bash -c".split(" "),
    script,
  ]).catch(() => false);
}

/** The round; runs as root of a namespace of its own. */
async function round(): Promise<boolean> {
  const client = new Deno.Command("unshare", {
    args: ["-n", "sh", "-c", "echo; cat"],
    stdin: "piped",
    stdout: "piped",
  }).spawn();
  const { pid } = client;
  // Its first line says that its namespace is there.
  const output = client.stdout.getReader();
  await output.read();
  const inClient = (line: string) => `nsenter -n -t ${pid} ${line}`;
  for (
    const line of [
      `ip link add v0 type veth peer name v1 netns ${pid}`,
      `ip addr add ${SERVER}/24 dev v0`,
      "ip link set v0 up",
      inClient(`ip addr add ${CLIENT}/24 dev v1`),
      inClient("ip link set v1 up"),
    ]
  ) {
    if (!await run(line.split(" "))) throw new Error(`${line} failed`);
  }
  await run("mount -t tmpfs none /run".split(" "));
  await run(
    ["nft", "-f", "-"],
    `table inet demo {
       chain input {
         type filter hook input priority 0; policy drop;
         ct state established,related accept
         ip saddr 10.77.0.66 drop comment "a ban"
         reject
       }
     }`,
  );
  const listener = Deno.listen({ hostname: SERVER, port: PORT });
  const serving = (async () => {
    for await (const conn of listener) {
      await conn.write(new TextEncoder().encode("x")).catch(() => {});
      conn.close();
    }
  })().catch(() => {});

  const request = { port: PORT, source: CLIENT, interface: "v0" };
  const blocked = await checkAccess(request);
  const before = await reach(pid);
  console.log(`  verdict: ${blocked.status} (${blocked.why})`);
  console.log(`  a real client: ${before ? "gets in" : "does not get in"}`);
  const plan = await planAccess(request, { tag: "demo", leaseSeconds: 60 });
  if (plan.status !== "ready") throw new Error(`The plan is ${plan.status}`);
  for (const step of plan.steps) showStep(step);
  console.log(`  all that changes: ${plan.proof?.changed}`);
  const lease = await applyPlan(plan, { consent: "the demo", ledger: LEDGER });
  const open = await checkAccess(request);
  const after = await reach(pid);
  console.log(`  verdict: ${open.status} (${open.why})`);
  console.log(`  a real client: ${after ? "gets in" : "does not get in"}`);
  await lease.revert();
  const shut = !await reach(pid);
  console.log(
    `  reverted; a real client: ${shut ? "does not get in" : "gets in"}`,
  );

  listener.close();
  await serving;
  await client.stdin.close();
  await output.cancel();
  await client.status;
  return blocked.status === "blocked-by" && !before &&
    open.status === "open" && after && shut;
}

/** Why the round cannot be run here; undefined when it can. */
async function obstacle(): Promise<string | undefined> {
  if (Deno.build.os !== "linux") return "it needs Linux";
  for (const tool of ["unshare", "nsenter", "ip", "nft", "bash"]) {
    const version = tool === "ip" ? "-V" : "--version";
    if (!await run([tool, version]).catch(() => false)) {
      return `${tool} is not installed, or not on the path`;
    }
  }
  const may = await run(["unshare", "-Urn", "nft", "list", "tables"]);
  return may ? undefined : "this kernel refuses user namespaces";
}

if (Deno.args[0] === "--inside") Deno.exit(await round() ? 0 : 1);

await show();
console.log("\nIn a namespace of its own, with a firewall of its own:");
const why = await obstacle();
if (why !== undefined) {
  console.log(`  left out: ${why}`);
  Deno.exit(0);
}
const { code } = await new Deno.Command("unshare", {
  args: [
    "-Urnm",
    Deno.execPath(),
    "run",
    "--quiet",
    "--allow-run",
    `--allow-read=${LEDGER}`,
    `--allow-write=${LEDGER}`,
    `--allow-net=${SERVER}`,
    new URL(import.meta.url).pathname,
    "--inside",
  ],
  stdin: "null",
}).spawn().status;
console.log(code === 0 ? "\nAll of it held." : "\nSomething did not hold.");
if (code !== 0) Deno.exit(1);
