import { readFreebsd } from "./_freebsd_facts.ts";
import { judgeFreebsd, planFreebsd, reportFreebsd } from "./_freebsd_judge.ts";
import { readMacos } from "./_macos_facts.ts";
import { judgeMacos, planMacos, reportMacos } from "./_macos_plan.ts";
import type { ChangePlan } from "./_other_apply.ts";
import { checkOtherRequest, type OtherAsked } from "./_other_request.ts";
import { localNetworks, readWindows } from "./_windows_facts.ts";
import { judgeWindows } from "./_windows_judge.ts";
import { planWindows } from "./_windows_plan.ts";
import { reportWindows } from "./_windows_report.ts";
import type { Outcome } from "./outcome.ts";
import type { PlanOptions } from "./plan.ts";
import type { FirewallReport } from "./report.ts";
import type { AccessRequest } from "./request.ts";
import type { AskOptions } from "./runner.ts";

/**
 * What each system but Linux can be asked; all of it only reads. `openChanges`
 * makes the changes of a plan.
 */
export interface OtherSystem {
  inspect(options: AskOptions): Promise<FirewallReport>;
  /** The request is not checked yet. */
  check(request: AccessRequest, options: AskOptions): Promise<Outcome>;
  /** The tag is. */
  plan(
    request: AccessRequest,
    tag: string,
    options: PlanOptions,
  ): Promise<ChangePlan>;
}

/** The same, with a request that was checked. */
interface Parts {
  inspect(options: AskOptions): Promise<FirewallReport>;
  check(asked: OtherAsked, options: AskOptions): Promise<Outcome>;
  plan(
    asked: OtherAsked,
    tag: string,
    options: PlanOptions,
  ): Promise<ChangePlan>;
}

/** The systems that are read, by their names in `Deno.build.os`. */
const SYSTEMS: Readonly<Record<string, Parts>> = {
  windows: {
    inspect: async (options) => reportWindows(await windows(options)),
    check: async (asked, options) =>
      (await judgeWindows(await windows(options), asked)).outcome,
    plan: async (asked, tag, options) =>
      await planWindows(await windows(options), asked, tag, options),
  },
  darwin: {
    inspect: async (options) =>
      reportMacos(await readMacos(options, undefined)),
    check: async (asked, options) =>
      judgeMacos(await readMacos(options, asked.program), asked),
    plan: async (asked, tag, options) => {
      const facts = await readMacos(options, asked.program);
      return planMacos(facts, asked, tag, options);
    },
  },
  freebsd: {
    inspect: async (options) => reportFreebsd(await readFreebsd(options)),
    check: async (asked, options) =>
      judgeFreebsd(await readFreebsd(options), asked),
    plan: async (asked, tag, options) =>
      planFreebsd(await readFreebsd(options), asked, tag),
  },
};

/** A system, if it is one of those. */
export function otherSystem(name: string): OtherSystem | undefined {
  const parts = Object.hasOwn(SYSTEMS, name) ? SYSTEMS[name] : undefined;
  if (parts === undefined) return undefined;
  return {
    inspect: parts.inspect,
    // Not before it is checked is anything asked.
    check: async (request, options) => {
      const asked = checkOtherRequest(request, name);
      options.signal?.throwIfAborted();
      return await parts.check(asked, options);
    },
    plan: async (request, tag, options) => {
      const asked = checkOtherRequest(request, name);
      options.signal?.throwIfAborted();
      return await parts.plan(asked, tag, options);
    },
  };
}

function windows(options: AskOptions) {
  // The networks of this machine say nothing of another one.
  const here = options.run === undefined && Deno.build.os === "windows";
  return readWindows(options, here ? localNetworks() : undefined);
}
