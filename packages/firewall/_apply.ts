import { FirewallError } from "./errors.ts";
import { whyForbidden } from "./_guard_rules.ts";
import { judge } from "./_judge.ts";
import type { Ledger, LedgerRecord } from "./_ledger.ts";
import { type LinuxFacts, readLinux } from "./_linux_facts.ts";
import { ourRules, parseMark, richPriority } from "./_mark.ts";
import { ourSets } from "./_steps.ts";
import { revertSteps } from "./_revert_steps.ts";
import type { Asked } from "./_request.ts";
import { isMadeBy, type UfwTuple } from "./_ufw.ts";
import type { Outcome } from "./outcome.ts";
import type { PlanStep } from "./plan.ts";
import type { Ran, Runner } from "./runner.ts";

/** The machine, and the ledger of what is done to it. */
export interface Workplace {
  readonly run: Runner;
  readonly ledger: Ledger;
}

/** Reads everything anew. */
export async function look(
  { run }: Workplace,
  asked?: Asked,
): Promise<LinuxFacts> {
  return await readLinux({ run }, asked);
}

/** Runs steps one after the other; fails with what the first bad one said. */
export async function runSteps(
  { run }: Workplace,
  steps: readonly PlanStep[],
): Promise<void> {
  for (const step of steps) {
    const why = whyForbidden(step);
    if (why !== undefined) throw new Error(`Cannot run ${step.argv}: ${why}`);
  }
  for (const { argv, stdin, sentence } of steps) {
    const [tool = "", ...args] = argv;
    const ran = await run({ tool, args, stdin }, {});
    const complaint = complaintOf(ran);
    if (complaint === undefined) continue;
    const code = ran.type === "forbidden" || /not permitted|Permission denied/
        .test(complaint)
      ? "firewall/no-rights"
      : "firewall/step-failed";
    throw new FirewallError(code, `${sentence}: ${tool} failed: ${complaint}`);
  }
}

function complaintOf(ran: Ran): string | undefined {
  if (ran.type === "absent") return "it is not installed";
  if (ran.type === "forbidden") return ran.why;
  if (ran.code === 0) return undefined;
  const lines = (ran.stderr || ran.stdout).trim().split("\n");
  return lines.find((line) => !line.startsWith("WARN")) ?? `code ${ran.code}`;
}

/** How many rules of a lease there are, wherever they are. */
export function countRules(facts: LinuxFacts, id: string): number {
  const { ruleset, ufwTuples, firewalld } = facts;
  const rules = ruleset.type === "known"
    ? ourRules(ruleset.value).filter((rule) => rule.id === id).length
    : 0;
  const rich = firewalld.type === "known" ? firewalld.value?.rich ?? [] : [];
  const priorities = [richPriority(id, 0), richPriority(id, 1)];
  return rules +
    ufwTuples.filter(({ comment }) => parseMark(comment)?.id === id).length +
    rich.filter(({ rule }) =>
      priorities.some((priority) =>
        rule.startsWith(`rule priority="${priority}" `)
      )
    ).length;
}

/** Whether anything of a lease is left, even if it has no effect. */
export function isGone(facts: LinuxFacts, id: string): boolean {
  const sets = facts.ruleset.type === "known"
    ? ourSets(facts.ruleset.value).filter((one) => one.id === id)
    : [];
  return countRules(facts, id) === 0 && sets.length === 0;
}

/** Steps of ufw that a rule of another lease already does. */
export function sharedUfwSteps(
  steps: readonly PlanStep[],
  facts: LinuxFacts,
): ReadonlySet<PlanStep> {
  const ours = ourTuples(facts);
  return new Set(
    steps.filter(({ layer, argv }) =>
      layer === "ufw" && ours.some((tuple) => isMadeBy(tuple, argv))
    ),
  );
}

function ourTuples({ ufwTuples }: LinuxFacts): readonly UfwTuple[] {
  return ufwTuples.filter(({ comment }) => parseMark(comment) !== undefined);
}

/** Takes everything of some leases back, and makes sure that it is gone. */
export async function takeBack(
  place: Workplace,
  ids: readonly string[],
  records: readonly LedgerRecord[],
): Promise<void> {
  const shared = sharedIds(ids, records);
  // Handles and positions may change between reading and writing: once more.
  for (let left = 3; left > 0; left--) {
    const facts = await look(place);
    const heirs = inherited(
      facts,
      ids.filter((id) => !shared.has(id)),
      records,
    );
    const steps = revertSteps(facts, {
      ids: new Set([...ids, ...heirs]),
      shared,
    });
    if (steps.length === 0) return;
    try {
      await runSteps(place, steps);
    } catch (error) {
      if (left === 1) throw error;
    }
  }
  const facts = await look(place);
  const stays = ids.filter((id) => !shared.has(id) && !isGone(facts, id));
  if (stays.length === 0) return;
  throw new FirewallError(
    "firewall/not-reverted",
    `Cannot take back the rules of ${stays.join(", ")}: they are still there`,
  );
}

/** Rules of ufw that were left to these leases by one that has ended. */
function inherited(
  facts: LinuxFacts,
  ids: readonly string[],
  records: readonly LedgerRecord[],
): readonly string[] {
  const steps = records.filter(({ entry }) => ids.includes(entry.id))
    .flatMap(({ entry }) => entry.steps)
    .filter(({ layer }) => layer === "ufw");
  const known = new Set(records.map(({ entry }) => entry.id));
  return ourTuples(facts).filter((tuple) =>
    steps.some(({ argv }) => isMadeBy(tuple, argv))
  ).map(({ comment }) => parseMark(comment)!.id)
    .filter((id) => !known.has(id));
}

/** Leases whose rule of ufw another one, that is held, counts on. */
function sharedIds(
  ids: readonly string[],
  records: readonly LedgerRecord[],
): ReadonlySet<string> {
  const ending = new Set(ids);
  const now = Date.now() / 1000;
  const key = (steps: readonly PlanStep[]) =>
    steps.filter(({ layer }) => layer === "ufw").map(({ argv }) =>
      argv.slice(0, argv.indexOf("comment")).join(" ")
    );
  const kept = new Set(
    records.filter(({ entry, held }) =>
      !ending.has(entry.id) &&
      (held || entry.detached && (entry.expires ?? Infinity) > now)
    ).flatMap(({ entry }) => key(entry.steps)),
  );
  return new Set(
    records.filter(({ entry }) =>
      ending.has(entry.id) && key(entry.steps).some((one) => kept.has(one))
    ).map(({ entry }) => entry.id),
  );
}

/** The outcome, when it is not what a plan has promised. */
export function brokenPromise(
  facts: LinuxFacts,
  asked: Asked,
  promised: Outcome,
): Outcome | undefined {
  const outcome = judge(facts, asked);
  if (outcome.status === "open") return undefined;
  return outcome.status === "unknown" && promised.status === "unknown"
    ? undefined
    : outcome;
}

/** Leases whose holder was killed, or whose time is over. */
export function abandoned(
  records: readonly LedgerRecord[],
  now: number,
): readonly LedgerRecord[] {
  return records.filter(({ entry, held }) => {
    if (held) return false;
    const over = entry.expires !== undefined && entry.expires <= now;
    return over || !entry.detached || entry.state !== "open";
  });
}

/** Takes back what nobody holds any more; gives the ids of those leases. */
export async function cleanUp(
  place: Workplace,
  facts: LinuxFacts,
): Promise<readonly string[]> {
  const { ledger } = place;
  await ledger.sweep();
  const records = await ledger.read();
  const now = Date.now() / 1000;
  const orphans = new Set(
    abandoned(records, now).map(({ entry }) => entry.id),
  );
  // A rule that has run out has no effect; its ledger may be lost.
  const known = new Set(records.map(({ entry }) => entry.id));
  for (const id of expiredIds(facts, now)) {
    if (!known.has(id)) orphans.add(id);
  }
  if (orphans.size === 0) return [];
  const adopted = [];
  for (const id of orphans) {
    const file = known.has(id) ? await ledger.adopt(id) : undefined;
    if (known.has(id) && file === undefined) orphans.delete(id);
    else if (file !== undefined) adopted.push(file);
  }
  await takeBack(place, [...orphans], records);
  for (const file of adopted) await file.remove();
  return [...orphans];
}

/** Leases in the kernel that have run out. */
function expiredIds({ ruleset }: LinuxFacts, now: number): readonly string[] {
  if (ruleset.type !== "known") return [];
  const sets = ourSets(ruleset.value);
  const empty = sets.filter(({ set }) => set.elements.length === 0)
    .map(({ id }) => id);
  const stopped = ourRules(ruleset.value).filter(({ rule: { text } }) => {
    const [, stop] = /--datestop (\S+)/.exec(text ?? "") ?? [];
    return stop !== undefined && Date.parse(`${stop}Z`) / 1000 <= now;
  }).map(({ id }) => id);
  return [...new Set([...empty, ...stopped])];
}
