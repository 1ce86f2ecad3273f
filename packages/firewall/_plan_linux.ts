import { Draft } from "./_draft.ts";
import { judge } from "./_judge.ts";
import type { LinuxFacts } from "./_linux_facts.ts";
import { managedPorts, muted } from "./_mark.ts";
import { changeText, compareRulesets } from "./_proof.ts";
import { type Asked, describeAsked } from "./_request.ts";
import type { Ownership } from "./_steps.ts";
import type { Outcome } from "./outcome.ts";
import type { Plan, PlanProof } from "./plan.ts";

/** What is asked of a plan, besides the connection. */
export interface PlanTerms extends Ownership {
  readonly tag: string;
  readonly overrideDeny: boolean;
}

/** Finds the changes that let a connection in, on a copy of the ruleset. */
export function planLinux(
  facts: LinuxFacts,
  asked: Asked,
  terms: PlanTerms,
): Plan {
  const now = judge(facts, asked);
  if (facts.ruleset.type !== "known") {
    return { status: "refused", why: now.why, outcome: now };
  }
  // Rules of other leases may go away at any time: each lease has its own. They
  // stay where they are in the draft, for positions count them.
  const { ruleset: bare, others } = muted(
    facts.ruleset.value,
    managedPorts(facts),
  );
  const ruleset = { type: "known", value: bare } as const;
  const before = others ? judge({ ...facts, ruleset }, asked) : now;
  if (before.status === "open") {
    return { status: "nothing-to-do", outcome: before };
  }
  if (before.status !== "blocked-by") {
    return { status: "refused", why: before.why, outcome: before };
  }
  const draft = new Draft(facts, bare, asked, terms);
  const refusal = draft.open();
  if (refusal !== undefined) {
    return { status: "refused", why: refusal, outcome: before };
  }
  const difference = compareRulesets(draft.original, draft.changed, asked);
  const stray = difference.changed.find((change) => !change.asked);
  if (stray !== undefined) {
    const why = `it would change ${changeText(stray)} as well`;
    return { status: "refused", why, outcome: before };
  }
  const proof: PlanProof = {
    compared: difference.compared,
    changed: difference.changed.map(changeText),
  };
  return {
    status: "ready",
    tag: terms.tag,
    mark: terms.mark,
    id: terms.id,
    ...(terms.leaseSeconds !== undefined &&
      { leaseSeconds: terms.leaseSeconds }),
    ...(terms.overrideDeny && { overrideDeny: true }),
    before: now.status === "open" ? onlyByOurs(now, asked) : before,
    ...{ after: draft.after, proof, steps: draft.steps },
  };
}

function onlyByOurs(now: Outcome, asked: Asked): Outcome {
  const why = `Only rules of other leases let in ${
    describeAsked(asked)
  }: they end when those leases do`;
  return { ...now, why };
}
