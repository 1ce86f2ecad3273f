// deno-lint-ignore-file no-console -- a command line writes lines
/**
 * Says whether the firewall of this machine lets a connection in, what would
 * have to be done, does it, and takes it back.
 *
 * ```sh
 * deno run -A jsr:@holdfast/firewall/cli check --port 4000
 * ```
 *
 * @module
 */
import { familyOf, prefixSpan } from "./_address.ts";
import { addressText, intervalOf } from "./_address_set.ts";
import { allow } from "./_cli_allow.ts";
import {
  type Arguments,
  parseArguments,
  UsageError,
} from "./_cli_arguments.ts";
import { showOutcome, showPlan, showReport, showRules } from "./_cli_show.ts";
import type { WorkOptions } from "./apply_plan.ts";
import { checkAccess } from "./check_access.ts";
import { elevate } from "./elevate.ts";
import { FirewallError } from "./errors.ts";
import { inspectFirewall } from "./inspect_firewall.ts";
import { planAccess } from "./plan_access.ts";
import { listRules, reconcile, revertWhere } from "./rules_list.ts";

const HELP = `Usage:
  inspect                 which firewalls there are, and which of them filter
  check --port N          whether a connection from outside would be let in
  plan --port N           the commands that would let it in; runs none of them,
                          but tries them on a copy of the firewall
  allow --port N          asks, runs them, and reads back what they did
  list                    the rules of Holdfast, of all programs
  revert --port N         takes rules back: those for a port, or with a --tag

Options:
  --tcp, --udp            the protocol, or both; tcp where it is left out
  --from RANGE            from where, such as 10.0.0.0/8; any for everywhere; lan
                          for the networks of this machine, which plan and
                          allow take where it is left out
  --for TIME              after this it is closed again: 90s, 15m, 1h or 2d
  --hold                  stays, keeps it open, and closes it at Ctrl-C
  --yes                   allow without a question
  --family ipv4|ipv6      only this one; both where it is left out
  --interface NAME        by which interface; any but lo where it is left out
  --address ADDRESS       of which address of this machine; any
  --program PATH          the program that listens (Windows, macOS)
  --public-networks       a plan also opens on public networks (Windows)
  --whole-program         a plan may let a program in on every port (macOS)
  --tag TAG               whose rules they are; holdfast
  --override-deny         opens even what a rule denies on purpose
  --elevate sudo|doas|pkexec|auto|never
                          how rights are got; allow and revert ask by auto, the
                          others never
  --ledger FOLDER         where leases are written down
  --json                  one JSON object a line

Permissions: --allow-run=nft,cat,busctl reads, and where there are tables of
iptables also iptables-nft-save,ip6tables-nft-save,iptables-legacy-save,
ip6tables-legacy-save. --allow-sys=networkInterfaces for --from lan;
--allow-run=unshare for the copy, which is left out without. To allow and revert:
-A, or also --allow-run of what the plan names, --allow-env=HOME,XDG_STATE_HOME,
and --allow-read and --allow-write of the ledger.
On Windows --allow-run=reg,netsh,whoami,powershell reads; on macOS --allow-run=
socketfilterfw,sw_vers,id,realpath,readlink,codesign,pfctl,cat; on FreeBSD
--allow-run=kldstat,sysctl,id,pfctl,ipfw,cat. Nothing is changed there.
Reading the rules of the kernel also needs CAP_NET_ADMIN, or root; without it
the outcome is unknown, with the command that would tell.
Exit codes: 0 open, or done; 1 blocked, unknown or refused; 2 bad usage.`;

/**
 * Runs the command line.
 *
 * @returns The exit code: 0 done, 1 a clear failure, 2 bad usage.
 */
export async function main(args: string[]): Promise<number> {
  try {
    return await run(parseArguments(args, localNetworks));
  } catch (error) {
    // The library's own sentences about bad arguments.
    const usage = error instanceof UsageError || error instanceof TypeError ||
      error instanceof RangeError;
    if (!usage && !(error instanceof FirewallError)) throw error;
    console.error(error.message);
    return usage ? 2 : 1;
  }
}

async function run(args: Arguments): Promise<number> {
  if (args.command === "help") {
    console.log(HELP);
    return 0;
  }
  const changes = args.command === "allow" || args.command === "revert";
  const how = args.elevate ?? (changes ? "auto" : "never");
  const rights = how !== "never" &&
      (await inspectFirewall()).rights === false
    ? await elevate(how === "auto" ? {} : { method: how })
    : undefined;
  try {
    return await runWith(args, {
      ledger: args.ledger,
      elevate: "never",
      ...(rights && { run: rights.run }),
    });
  } finally {
    await rights?.[Symbol.asyncDispose]();
  }
}

async function runWith(args: Arguments, options: WorkOptions): Promise<number> {
  const { json, tag, leaseSeconds, overrideDeny } = args;
  let code = 0;
  switch (args.command) {
    case "inspect":
      return showReport(await inspectFirewall(options), json);
    case "check":
      for (const request of args.requests) {
        const outcome = await checkAccess(request, options);
        code = Math.max(code, showOutcome(outcome, json));
      }
      return code;
    case "plan":
      for (const request of args.requests) {
        const { publicNetworks, wholeProgram } = args;
        const terms = {
          ...{ tag, leaseSeconds, overrideDeny, rehearse: true },
          ...{ publicNetworks, wholeProgram },
        };
        const plan = await planAccess(request, { ...options, ...terms });
        code = Math.max(code, showPlan(plan, json));
      }
      return code;
    case "allow":
      return await allow(args, options);
    case "list":
      return showRules(await listRules(options), json);
    default:
      return await revert(args, options);
  }
}

/** Those for a port, with a tag, or both; and what killed programs left. */
async function revert(args: Arguments, options: WorkOptions): Promise<number> {
  const ids = await revertWhere(
    ({ tag, port }) =>
      (args.tag === undefined || tag === args.tag) &&
      (args.port === undefined || port === args.port),
    options,
  );
  const left = await reconcile(options);
  for (const id of [...ids, ...left]) {
    console.log(
      args.json
        ? JSON.stringify({ type: "reverted", id })
        : `reverted: lease ${id}`,
    );
  }
  if (ids.length + left.length > 0) return 0;
  console.error("Cannot revert: there is no such rule of Holdfast");
  return 1;
}

/** The networks that this machine is in, but for its loopback one. */
function localNetworks(): readonly string[] {
  try {
    const cidrs = Deno.networkInterfaces()
      .filter(({ name, address }) => name !== "lo" && address !== "::1")
      .map(({ cidr }) => networkOf(cidr))
      .filter((cidr) => cidr !== undefined);
    return [...new Set(cidrs)];
  } catch (error) {
    if (!(error instanceof Deno.errors.NotCapable)) throw error;
    throw new UsageError(
      "Cannot tell what is local: add --allow-sys=networkInterfaces, or name a range",
    );
  }
}

/** `192.168.1.7/24` to `192.168.1.0/24`. */
function networkOf(cidr: string): string | undefined {
  const [address = "", length] = cidr.split("/");
  const span = prefixSpan(address, Number(length));
  const family = familyOf(address);
  if (span === undefined || family === undefined) return undefined;
  const [first] = intervalOf(span, family);
  return `${addressText(first, family)}/${length}`;
}

if (import.meta.main) Deno.exit(await main(Deno.args));
