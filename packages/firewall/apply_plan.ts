import { cleanUp, look, type Workplace } from "./_apply.ts";
import { HeldLease } from "./_held_lease.ts";
import { defaultLedger, Ledger } from "./_ledger.ts";
import { markOf } from "./_mark.ts";
import { planLinux } from "./_plan_linux.ts";
import { checkRequest, describeAsked } from "./_request.ts";
import { runLocal } from "./_run_local.ts";
import { elevate, type ElevationMethod } from "./elevate.ts";
import { FirewallError } from "./errors.ts";
import type { Lease, LeaseOptions } from "./lease.ts";
import type { Plan, PlanStep, ReadyPlan } from "./plan.ts";
import type { AccessRequest } from "./request.ts";
import type { AskOptions, Runner } from "./runner.ts";

/** Where leases are written down, and how rights are got. */
export interface WorkOptions extends AskOptions {
  /**
   * The folder in which leases are written down before they are opened, so
   * that what a killed program has left is found again.
   *
   * @default {$XDG_STATE_HOME/holdfast/firewall, or below ~/.local/state}
   */
  readonly ledger?: string | undefined;
  /**
   * How the rights of root are got where this program has not got them: by
   * asking the user once, or `"never"`.
   *
   * @default {the first of sudo, doas and pkexec that is installed}
   */
  readonly elevate?: ElevationMethod | "never" | undefined;
}

/** Options for {@linkcode applyPlan}. */
export interface ApplyOptions extends WorkOptions, LeaseOptions {
  /**
   * That the user has read the plan and wants it: `true`, or a few words on
   * who said so, which are written down.
   */
  readonly consent: boolean | string;
}

/**
 * Does what a plan says, and holds it open until it is reverted.
 *
 * The plan is made again first: where the firewall has changed since, nothing
 * is done. What is done is judged by reading it back, never by what a tool
 * says of itself, and what cannot be completed is taken back.
 *
 * ```ts
 * import { applyPlan, planAccess } from "@holdfast/firewall";
 *
 * async function serveForAWhile() {
 *   const request = { port: 4000, source: "192.168.0.0/16" };
 *   const plan = await planAccess(request, { tag: "game", leaseSeconds: 600 });
 *   if (plan.status === "refused") throw new Error(plan.why);
 *   // Show its steps to the user before this.
 *   await using lease = await applyPlan(plan, { consent: true, ledger: "state" });
 *   lease.on("flushed-by-other", ({ why }) => alert(why));
 * }
 * ```
 *
 * @throws {FirewallError} with one of the codes of {@linkcode FirewallErrorCode}.
 * @throws {TypeError} When the plan is none of `planAccess`, or was refused.
 * @throws The reason of the signal, when it is aborted before anything is done.
 */
export async function applyPlan(
  plan: Plan,
  options: ApplyOptions,
): Promise<Lease> {
  const { consent, signal } = options;
  signal?.throwIfAborted();
  if (consent !== true && !(typeof consent === "string" && consent !== "")) {
    throw new FirewallError(
      "firewall/no-consent",
      "Cannot apply the plan: nobody has consented: pass `consent: true` when the user has",
    );
  }
  if (plan.status !== "ready" || plan.request === undefined) {
    throw new TypeError(
      `Cannot apply the plan: ${
        plan.status === "refused"
          ? plan.why
          : "there is nothing to do, so nothing to hold"
      }`,
    );
  }
  const { place, release } = await openWorkplace(options);
  try {
    const { request } = plan;
    return await place.ledger.exclusive(() =>
      open(place, plan, request, options, release)
    );
  } catch (error) {
    await release();
    throw error;
  }
}

async function open(
  place: Workplace,
  plan: ReadyPlan,
  request: AccessRequest,
  options: ApplyOptions,
  release: () => Promise<void>,
): Promise<Lease> {
  const asked = checkRequest(request);
  const { tag, id = "", leaseSeconds } = plan;
  const terms = {
    ...{ tag, id, leaseSeconds, mark: markOf(tag, id) },
    overrideDeny: plan.overrideDeny ?? false,
  };
  let facts = await look(place, asked);
  const cleaned = await cleanUp(place, facts);
  if (cleaned.length > 0) facts = await look(place, asked);
  const now = Date.now() / 1000;
  const again = planLinux(facts, asked, { ...terms, now });
  if (again.status !== "ready" || !isSame(again.steps, plan.steps)) {
    throw new FirewallError(
      "firewall/plan-stale",
      `Cannot apply the plan for ${
        describeAsked(asked)
      }: the firewall has changed since it was made: plan again`,
    );
  }
  options.signal?.throwIfAborted();
  const consent = typeof options.consent === "string"
    ? options.consent
    : undefined;
  const file = await place.ledger.open(id);
  const opening = { request, asked, terms, consent };
  const lease = new HeldLease(place, opening, file, options, release);
  try {
    await lease.open(again.steps, again.after, facts);
  } catch (error) {
    await lease.abandon();
    throw error;
  }
  return lease;
}

/** But for the time of day at which a lease of iptables ends. */
function isSame(a: readonly PlanStep[], b: readonly PlanStep[]): boolean {
  const text = (steps: readonly PlanStep[]) =>
    JSON.stringify(steps.map(({ argv, stdin }) => [argv, stdin]))
      .replaceAll(/--datestop \S{19}/g, "--datestop");
  return text(a) === text(b);
}

/** Rights, and the ledger; `release` gives the rights back. */
export async function openWorkplace(
  options: WorkOptions,
): Promise<{ place: Workplace; release: () => Promise<void> }> {
  const system = options.system ?? Deno.build.os;
  if (system !== "linux") {
    throw new FirewallError(
      "firewall/no-rights",
      `Cannot change the firewall of ${system}: this version only plans there`,
    );
  }
  const ledger = new Ledger(options.ledger ?? defaultLedger());
  const run = options.run ?? runLocal;
  if (
    options.run !== undefined || options.elevate === "never" ||
    await hasRights(run)
  ) {
    return { place: { run, ledger }, release: async () => {} };
  }
  const elevated = await elevate({
    method: options.elevate,
    signal: options.signal,
  });
  return {
    place: { run: elevated.run, ledger },
    release: async () => await elevated[Symbol.asyncDispose](),
  };
}

/** CAP_NET_ADMIN, by the words of a child: tools run as one. */
async function hasRights(run: Runner): Promise<boolean> {
  const ran = await run({ tool: "cat", args: ["/proc/self/status"] }, {});
  if (ran.type !== "ran") return false;
  const mask = /^CapEff:\s*([0-9a-f]+)$/m.exec(ran.stdout)?.[1];
  return mask !== undefined && (BigInt(`0x${mask}`) >> 12n & 1n) === 1n;
}
