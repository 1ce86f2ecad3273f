// deno-lint-ignore-file no-console -- a command line writes lines
/**
 * Says whether the firewall of this machine lets a connection in, and what
 * would have to be done. It changes nothing.
 *
 * ```sh
 * deno run --allow-run=nft,cat,firewall-cmd jsr:@holdfast/firewall/cli check 8080
 * ```
 *
 * @module
 */
import { parseArgs } from "node:util";
import { checkAccess } from "./check_access.ts";
import { FirewallError } from "./errors.ts";
import { inspectFirewall } from "./inspect_firewall.ts";
import type { Outcome } from "./outcome.ts";
import type { Plan } from "./plan.ts";
import { planAccess } from "./plan_access.ts";
import type { AccessRequest } from "./request.ts";

const HELP = `Usage:
  inspect                 which firewalls there are, and which of them filter
  check PORT [options]    whether a connection from outside would be let in
  plan PORT [options]     the commands that would let it in; runs none of them

Options:
  --protocol tcp|udp      the protocol; tcp where it is left out
  --family ipv4|ipv6      only this one; both where it is left out
  --source RANGE          from where, such as 10.0.0.0/8; anywhere else
  --interface NAME        by which interface; any but lo where it is left out
  --program PATH          the program that listens (Windows, macOS)
  --public-networks       a plan also opens on public networks (Windows)
  --whole-program         a plan may let a program in on every port (macOS)
  --tag TAG               the comment of the rules of a plan
  --json                  one JSON object a line

Permissions: --allow-run=nft,cat,firewall-cmd,iptables-legacy-save,ip6tables-legacy-save
(the last two only where tables of iptables-legacy are loaded); on Windows
--allow-run=reg,netsh,whoami,powershell; on macOS --allow-run=socketfilterfw,
sw_vers,id,realpath,readlink,codesign,pfctl,cat; on FreeBSD --allow-run=kldstat,sysctl,
id,pfctl,ipfw,cat. Reading the rules of the kernel also needs CAP_NET_ADMIN or
root; without it the outcome is unknown.
Exit codes: 0 open, or a plan is there; 1 blocked, unknown or refused; 2 bad usage.`;

class UsageError extends Error {}

/**
 * Runs the command line.
 *
 * @returns The exit code: 0 done, 1 a clear failure, 2 bad usage.
 */
export async function main(args: string[]): Promise<number> {
  try {
    return await run(args);
  } catch (error) {
    // The library's own sentences about bad arguments.
    const usage = error instanceof UsageError || error instanceof TypeError ||
      error instanceof RangeError;
    if (!usage && !(error instanceof FirewallError)) throw error;
    console.error(error.message);
    return usage ? 2 : 1;
  }
}

async function run(args: string[]): Promise<number> {
  const { values, positionals } = parse(args);
  const [command, ...rest] = positionals;
  if (values.help) {
    console.log(HELP);
    return 0;
  }
  if (command === "list" || command === "allow" || command === "revert") {
    throw new UsageError(
      `Cannot ${command}: this version only plans and applies nothing: use check or plan`,
    );
  }
  if (command === "inspect" && rest.length === 0) {
    return await inspect(values.json);
  }
  if ((command === "check" || command === "plan") && rest.length === 1) {
    const request = {
      port: parsePort(rest[0]!),
      protocol: values.protocol as AccessRequest["protocol"],
      family: values.family as AccessRequest["family"],
      source: values.source,
      interface: values.interface,
      program: values.program,
    };
    return command === "check"
      ? showOutcome(await checkAccess(request), values.json)
      : showPlan(
        await planAccess(request, {
          tag: values.tag,
          publicNetworks: values["public-networks"],
          wholeProgram: values["whole-program"],
        }),
        values.json,
      );
  }
  throw new UsageError(
    "Cannot run: expected `inspect`, `check PORT` or `plan PORT`: see --help",
  );
}

function parse(args: string[]) {
  try {
    return parseArgs({
      args,
      allowPositionals: true,
      options: {
        family: { type: "string" },
        help: { type: "boolean", short: "h", default: false },
        interface: { type: "string" },
        json: { type: "boolean", default: false },
        program: { type: "string" },
        protocol: { type: "string" },
        "public-networks": { type: "boolean", default: false },
        source: { type: "string" },
        tag: { type: "string" },
        "whole-program": { type: "boolean", default: false },
      },
    });
  } catch (error) {
    throw new UsageError(
      `Cannot run: ${error instanceof Error ? error.message : error}`,
    );
  }
}

function parsePort(text: string): number {
  if (/^\d{1,5}$/.test(text)) return Number(text);
  throw new UsageError(
    `Cannot run: port must be a number from 1 to 65535: current value is ${
      JSON.stringify(text)
    }`,
  );
}

async function inspect(json: boolean): Promise<number> {
  const report = await inspectFirewall();
  if (json) {
    console.log(JSON.stringify(report));
    return 0;
  }
  for (const layer of report.layers) {
    const detail = layer.status === "unknown"
      ? `${layer.why}${layer.command ? `; try: ${layer.command}` : ""}`
      : layer.detail;
    console.log(`${layer.layer}: ${layer.status} (${detail})`);
  }
  return 0;
}

function showOutcome(outcome: Outcome, json: boolean): number {
  if (json) console.log(JSON.stringify(outcome));
  if (outcome.status === "open") {
    if (!json) console.log(`open: ${outcome.why}`);
    return 0;
  }
  const command = outcome.status === "unknown" ? outcome.command : undefined;
  const hint = command === undefined ? "" : `; this would tell: ${command}`;
  console.error(`${outcome.status}: ${outcome.why}${hint}`);
  return 1;
}

function showPlan(plan: Plan, json: boolean): number {
  if (json) console.log(JSON.stringify(plan));
  if (plan.status === "refused") {
    console.error(`refused: ${plan.why}`);
    return 1;
  }
  if (json) return 0;
  if (plan.status === "nothing-to-do") {
    console.log(`nothing to do: ${plan.outcome.why}`);
    return 0;
  }
  console.log(`now: ${plan.before.why}`);
  for (const { sentence, argv, stdin, script } of plan.steps) {
    console.log(`\n${sentence}\n  ${argv.map(quote).join(" ")}`);
    if (script !== undefined) {
      console.log(`  which runs:\n  ${script.replaceAll("\n", "\n  ")}`);
    }
    if (stdin !== undefined) console.log(`  with this input:\n  ${stdin}`);
  }
  console.log(`\nafter: ${plan.after.why}`);
  return 0;
}

/** For reading, and for a shell. */
function quote(argument: string): string {
  return /^[\w./:=-]+$/.test(argument)
    ? argument
    : `'${argument.replaceAll("'", `'\\''`)}'`;
}

if (import.meta.main) Deno.exit(await main(Deno.args));
