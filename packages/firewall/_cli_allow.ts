// deno-lint-ignore-file no-console -- a command line writes lines
import type { Arguments } from "./_cli_arguments.ts";
import { showPlan } from "./_cli_show.ts";
import { applyPlan, type WorkOptions } from "./apply_plan.ts";
import { FirewallError } from "./errors.ts";
import type { Lease } from "./lease.ts";
import { planAccess } from "./plan_access.ts";

/** Opens what was asked for, when the user says yes to it. */
export async function allow(
  args: Arguments,
  options: WorkOptions,
): Promise<number> {
  const leases: Lease[] = [];
  const { tag, leaseSeconds, overrideDeny, json } = args;
  try {
    for (const request of args.requests) {
      const terms = { tag, leaseSeconds, overrideDeny, rehearse: true };
      const plan = await planAccess(request, { ...options, ...terms });
      if (plan.status !== "ready") {
        const code = showPlan(plan, json);
        if (code !== 0) return await giveUp(leases, code);
        continue;
      }
      if (!json) showPlan(plan, false);
      const consent = await askConsent(args);
      const lease = await applyPlan(plan, { ...options, consent });
      leases.push(lease);
      const { id, expires } = lease;
      const until = expires && new Date(expires * 1000).toISOString();
      console.log(
        json
          ? JSON.stringify({ type: "opened", id, tag: lease.tag, expires })
          : `opened: lease ${id}${until ? `, until ${until}` : ""}`,
      );
      const ufw = plan.steps.some(({ layer }) => layer === "ufw");
      if (ufw && leaseSeconds !== undefined && !args.hold) {
        console.error(
          "ufw knows no time: it is closed when Holdfast next runs after that: use --hold to have it closed in time",
        );
      }
    }
  } catch (error) {
    await giveUp(leases, 1);
    throw error;
  }
  if (args.hold) return await holdAll(leases, json);
  for (const lease of leases) await lease.detach();
  return 0;
}

/** All of it, or nothing. */
async function giveUp(leases: readonly Lease[], code: number): Promise<number> {
  for (const lease of leases) await lease.revert();
  return code;
}

async function askConsent({ yes, json }: Arguments): Promise<string> {
  if (yes) return "--yes on the command line";
  if (!json && Deno.stdin.isTerminal()) {
    const answer = prompt("\nDo this? [y/N]");
    if (answer !== null && /^y(es)?$/i.test(answer.trim())) {
      return "yes at the prompt";
    }
  }
  await Promise.resolve();
  throw new FirewallError(
    "firewall/no-consent",
    "Cannot allow: nobody said yes, so nothing was changed: add --yes",
  );
}

/** Until the user ends it; then everything is taken back. */
async function holdAll(
  leases: readonly Lease[],
  json: boolean,
): Promise<number> {
  if (leases.length === 0) return 0;
  for (const lease of leases) {
    lease.on("*", (event) => {
      console.log(
        json ? JSON.stringify(event) : `${event.type}: ${event.why}`,
      );
    });
  }
  if (!json) console.log("held until Ctrl-C");
  await new Promise<void>((resolve) => {
    for (const name of ["SIGINT", "SIGTERM"] as const) {
      Deno.addSignalListener(name, resolve);
    }
  });
  for (const lease of leases) await lease.revert();
  return 0;
}
