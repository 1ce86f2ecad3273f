import { addressText } from "./_address_set.ts";
import { ElevatedShell } from "./_elevated_shell.ts";
import type { Bound } from "./_interval_set.ts";
import { judge } from "./_judge.ts";
import { type LinuxFacts, readLinux } from "./_linux_facts.ts";
import { questionOf } from "./_nft_packet.ts";
import { ownersOf, tableOf } from "./_owner.ts";
import { planLinux, type PlanTerms } from "./_plan_linux.ts";
import { evaluate } from "./_nft_evaluate.ts";
import type { Asked } from "./_request.ts";
import { ENVIRONMENT, FOLDERS } from "./_run_local.ts";
import type { Family } from "./outcome.ts";
import type { PlanRehearsal, ReadyPlan } from "./plan.ts";
import type { Call, Ran, Runner } from "./runner.ts";

/** Where it is not possible, and why. */
class LeftOut extends Error {}

const INNER = "hfpeer";
const MACS = ["02:00:00:00:00:01", "02:00:00:00:00:02"] as const;

/**
 * Tries a plan on a copy of the firewall, in a network namespace of its own
 * that ends with this call: the kernel itself takes the rules, and a packet of
 * a peer passes them, or does not. The machine is not touched.
 */
export async function rehearse(
  plan: ReadyPlan,
  facts: LinuxFacts,
  asked: Asked,
  terms: PlanTerms,
  host: Runner,
): Promise<PlanRehearsal> {
  const managed = plan.steps.find(({ layer }) =>
    layer === "ufw" || layer === "firewalld"
  );
  if (managed !== undefined) {
    const why = `${managed.layer} writes the rules, and runs on the host alone`;
    return { status: "left-out", why };
  }
  const shell = await openNamespace();
  if (shell === undefined) {
    const why = "unshare, which makes the copy, may not be run here";
    return { status: "left-out", why };
  }
  const twin = new Twin(shell, asked, terms, host);
  try {
    await twin.build(facts);
    return await twin.tryPlan();
  } catch (error) {
    if (!(error instanceof LeftOut)) throw error;
    return { status: "left-out", why: error.message };
  } finally {
    await twin.close();
  }
}

/** As root, or as an ordinary user where the kernel allows it. */
async function openNamespace(): Promise<ElevatedShell | undefined> {
  for (const flags of ["-nm", "-Urnm"]) {
    for (const folder of FOLDERS) {
      try {
        const child = new Deno.Command(`${folder}/unshare`, {
          args: [flags, "/bin/sh"],
          clearEnv: true,
          env: { ...ENVIRONMENT },
          ...{ stdin: "piped", stdout: "piped", stderr: "piped" },
        }).spawn();
        const shell = new ElevatedShell(child, "unshare");
        await shell.ready(undefined);
        return shell;
      } catch {
        // Not there, not allowed, or no namespaces for ordinary users.
      }
    }
  }
  return undefined;
}

class Twin {
  readonly #shell: ElevatedShell;
  readonly #asked: Asked;
  readonly #terms: PlanTerms;
  readonly #host: Runner;
  readonly #link: string;
  #peer = "";

  constructor(
    shell: ElevatedShell,
    asked: Asked,
    terms: PlanTerms,
    host: Runner,
  ) {
    this.#shell = shell;
    this.#asked = asked;
    this.#terms = terms;
    this.#host = host;
    this.#link = asked.interface ?? "hftwin0";
  }

  /** Links first, for rules may name them; then all rules. */
  async build(facts: LinuxFacts): Promise<void> {
    // The lock of iptables-legacy, and what else is kept there, is the host's.
    await this.#must({ tool: "mount", args: "-t tmpfs none /run".split(" ") });
    // A namespace within, whose process waits until this shell is gone.
    const started = await this.#must({
      tool: "sh",
      args: ["-c", "unshare -n sleep 60 >/dev/null 2>&1 & echo $!"],
    });
    this.#peer = started.trim();
    await this.#words("ip link set lo up");
    await this.#words(
      `ip link add ${this.#link} address ${
        MACS[0]
      } type veth peer name ${INNER} address ${MACS[1]}`,
    );
    // The child may still be on its way into its namespace.
    await this.#must({
      tool: "sh",
      args: [
        "-c",
        `for i in 1 2 3 4 5 6 7 8 9 10 11 12 13 14 15 16 17 18 19 20; do
           [ "$(readlink /proc/${this.#peer}/ns/net)" != "$(readlink /proc/self/ns/net)" ] && exit 0
           sleep 0.05
         done; exit 1`,
      ],
    });
    await this.#words(`ip link set ${INNER} netns ${this.#peer}`);
    await this.#words(`ip link set ${this.#link} up`);
    await this.#inPeer(`ip link set ${INNER} up`);
    await this.#copyRules(facts);
  }

  /** Plans anew there, for handles differ, and lets a packet in. */
  async tryPlan(): Promise<PlanRehearsal> {
    const run: Runner = (call) => this.#shell.run(call, undefined);
    const facts = await readLinux({ run }, this.#asked);
    const plan = planLinux(facts, this.#asked, this.#terms);
    if (plan.status !== "ready") {
      throw new LeftOut(`the copy is not like the host: ${plan.status}`);
    }
    for (const { argv: [tool = "", ...args], stdin } of plan.steps) {
      const ran = await this.#shell.run({ tool, args, stdin }, undefined);
      if (ran.type === "ran" && ran.code === 0) continue;
      return { status: "failed", why: `${tool} refused it: ${said(ran)}` };
    }
    const after = await readLinux({ run }, this.#asked);
    const outcome = judge(after, this.#asked);
    if (outcome.status === "blocked-by") {
      return { status: "failed", why: outcome.why };
    }
    for (const family of this.#asked.families) {
      const passes = await this.#probe(family, after);
      if (!passes) {
        const why = `a packet (${family}) did not pass the copy`;
        return { status: "failed", why };
      }
    }
    return {
      status: "passed",
      why: "a copy took the rules, and a packet of a peer passed them",
    };
  }

  async close(): Promise<void> {
    await this.#shell.run(
      { tool: "kill", args: [this.#peer || "0"] },
      undefined,
    ).catch(() => {});
    await this.#shell.close();
  }

  /** Native tables by nft, those of iptables by its own tools. */
  async #copyRules(facts: LinuxFacts): Promise<void> {
    const { ruleset } = facts;
    if (ruleset.type !== "known") throw new LeftOut("the rules are not known");
    const owner = ownersOf(facts, ruleset.value);
    const tables = new Set<string>();
    const tools = new Set<string>();
    for (const chain of ruleset.value.chains.values()) {
      const layer = owner(chain);
      if (layer === "iptables-legacy") {
        tools.add(`${chain.family}tables-legacy`);
      } else if (
        layer === "iptables-nft" || chain.rules.some(({ text }) => text)
      ) {
        tools.add(`${chain.family}tables-nft`);
      } else tables.add(tableOf(chain));
    }
    for (const table of tables) {
      const args = ["-s", "list", "table", ...table.split(" ")];
      const text = await this.#ofHost({ tool: "nft", args });
      await this.#must({ tool: "nft", args: ["-f", "-"], stdin: text });
    }
    for (const tool of tools) {
      const text = await this.#ofHost({ tool: `${tool}-save`, args: [] });
      await this.#must({ tool: `${tool}-restore`, args: [], stdin: text });
    }
  }

  /** Counters behind all rules, here and there, tell whether it passed. */
  async #probe(family: Family, facts: LinuxFacts): Promise<boolean> {
    const { port, protocol, address } = this.#asked;
    const peer = this.#peerAddress(family, facts);
    const ours = address ?? (family === "ipv4" ? "198.18.0.1" : "2001:2::1");
    const bits = family === "ipv4" ? 32 : 128;
    const ip = family === "ipv4" ? "ip" : "ip -6";
    const nodad = family === "ipv4" ? "" : " nodad";
    const set = (link: string, own: string, other: string, mac: string) => [
      `ip addr replace ${own}/${bits} dev ${link}${nodad}`,
      `${ip} route replace ${other}/${bits} dev ${link}`,
      `ip neigh replace ${other} lladdr ${mac} dev ${link} nud permanent`,
    ];
    for (const line of set(this.#link, ours, peer, MACS[1])) {
      await this.#words(line);
    }
    for (const line of set(INNER, peer, ours, MACS[0])) {
      await this.#inPeer(line);
    }
    const counting = (hook: string, field: string, priority: number) =>
      `table inet hf_probe {\n chain c {\n type filter hook ${hook} priority ${priority}; policy accept\n ${protocol} ${field} ${port} counter\n }\n}\n`;
    await this.#must({
      ...{ tool: "nft", args: ["-f", "-"] },
      stdin: counting("input", "dport", 2_000_000),
    });
    await this.#must({
      ...{ tool: "nsenter", args: ["-n", "-t", this.#peer, "nft", "-f", "-"] },
      stdin: counting("prerouting", "sport", -2_000_000),
    });
    const open = `exec 3<>/dev/${protocol}/${ours}/${port}; echo x >&3`;
    const args = ["-n", "-t", this.#peer, "timeout", "2", "bash", "-c", open];
    const tried = await this.#shell.run({ tool: "nsenter", args }, undefined);
    if (tried.type !== "ran" || tried.code === 127) {
      throw new LeftOut("bash, which sends the packet, is not installed");
    }
    const here = await this.#counted(["nft"]);
    const there = await this.#counted([
      "nsenter",
      "-n",
      "-t",
      this.#peer,
      "nft",
    ]);
    return here > 0 && (there > 0 || protocol === "udp");
  }

  /** Some address that the outcome is about, and no exception. */
  #peerAddress(family: Family, { ruleset }: LinuxFacts): string {
    if (ruleset.type !== "known") throw new LeftOut("the rules are not known");
    const { open, unknown } = evaluate(
      ruleset.value,
      questionOf(this.#asked, family),
    );
    const set = open.length > 0 ? open : unknown;
    const [lo, hi] = set as readonly [Bound, Bound];
    if (lo === undefined) throw new LeftOut("no source is let in");
    // Not the first: it may be the address of the network itself.
    const next = typeof lo === "bigint" ? lo + 1n : lo + 1;
    return addressText(next < hi ? next : lo, family);
  }

  async #counted([tool = "", ...args]: readonly string[]): Promise<number> {
    const list = [...args, "list", "table", "inet", "hf_probe"];
    const text = await this.#must({ tool, args: list });
    const [, packets] = /counter packets (\d+)/.exec(text) ?? [];
    const drop = [...args, "delete", "table", "inet", "hf_probe"];
    await this.#must({ tool, args: drop });
    return Number(packets);
  }

  async #ofHost(call: Call): Promise<string> {
    const ran = await this.#host(call, {});
    if (ran.type === "ran" && ran.code === 0) return ran.stdout;
    throw new LeftOut(`${call.tool} did not show the rules: ${said(ran)}`);
  }

  async #words(line: string): Promise<string> {
    const [tool = "", ...args] = line.split(" ");
    return await this.#must({ tool, args });
  }

  async #inPeer(line: string): Promise<string> {
    return await this.#words(`nsenter -n -t ${this.#peer} ${line}`);
  }

  async #must(call: Call): Promise<string> {
    const ran = await this.#shell.run(call, undefined);
    if (ran.type === "ran" && ran.code === 0) return ran.stdout;
    throw new LeftOut(
      `${call.tool} failed in the copy: ${said(ran).slice(0, 200)}`,
    );
  }
}

function said(ran: Ran): string {
  if (ran.type === "absent") return "it is not installed";
  if (ran.type === "forbidden") return ran.why;
  return (ran.stderr || ran.stdout).trim().split("\n")[0] ??
    `code ${ran.code}`;
}
