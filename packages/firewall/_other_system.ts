import { readFreebsd } from "./_freebsd_facts.ts";
import { judgeFreebsd, planFreebsd, reportFreebsd } from "./_freebsd_judge.ts";
import { readMacos } from "./_macos_facts.ts";
import { judgeMacos, planMacos, reportMacos } from "./_macos_plan.ts";
import type { ChangePlan } from "./_other_apply.ts";
import type { Asked } from "./_request.ts";
import { localNetworks, readWindows } from "./_windows_facts.ts";
import { judgeWindows } from "./_windows_judge.ts";
import { planWindows } from "./_windows_plan.ts";
import { reportWindows } from "./_windows_report.ts";
import type { Outcome } from "./outcome.ts";
import type { PlanOptions } from "./plan.ts";
import type { FirewallReport } from "./report.ts";
import type { AskOptions } from "./runner.ts";

/**
 * What each system but Linux can be asked; all of it only reads. `openChanges`
 * makes the changes of a plan.
 */
export interface OtherSystem {
  inspect(options: AskOptions): Promise<FirewallReport>;
  check(asked: Asked, options: AskOptions): Promise<Outcome>;
  plan(asked: Asked, tag: string, options: PlanOptions): Promise<ChangePlan>;
}

/** The systems that are read, by their names in `Deno.build.os`. */
export const OTHER_SYSTEMS: Readonly<Record<string, OtherSystem>> = {
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
    plan: async (asked, tag, options) =>
      planMacos(
        await readMacos(options, asked.program),
        asked,
        tag,
        options,
      ),
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
  return Object.hasOwn(OTHER_SYSTEMS, name) ? OTHER_SYSTEMS[name] : undefined;
}

function windows(options: AskOptions) {
  // The networks of this machine say nothing of another one.
  const here = options.run === undefined && Deno.build.os === "windows";
  return readWindows(options, here ? localNetworks() : undefined);
}
