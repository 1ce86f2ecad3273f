/** The ladder that the rules fill, and what several of them ask. Pure. */
import type { ConnectFinding, Findings } from "./_doctor_findings.ts";
import type { Cause, CauseId, Step, StepId } from "./diagnosis.ts";
import type { Verdict } from "./verdict.ts";

/** Collects the ladder. */
export class Ladder {
  readonly steps: Step[] = [];
  readonly causes: Cause[] = [];

  ok(id: StepId, evidence: string): void {
    this.steps.push({ id, state: "ok", evidence });
  }

  unknown(id: StepId, evidence: string): void {
    this.steps.push({ id, state: "unknown", evidence });
  }

  fail(
    id: StepId,
    cause: CauseId,
    text: {
      readonly what: string;
      readonly evidence: string;
      readonly fix: string;
    },
    minor: boolean = false,
  ): void {
    const state = minor ? "warning" : "failed";
    this.steps.push({ id, state, evidence: text.evidence });
    this.causes.push({ id: cause, step: id, ...text, minor });
  }
}

/** Whether it failed: what the program may not try has not. */
export function isFault(failure: Verdict | undefined): boolean {
  return failure !== undefined && failure.failure !== "permission-missing";
}

const UNHEARD: ReadonlySet<string> = new Set([
  ...["silent", "not-allowed", "not-asked"],
]);

/** Whether anything from beyond the own link has answered. */
export function heardFromFar({ servers, connects, portal }: Findings): boolean {
  // An unreachable host may be said so by this one.
  const answered = connects.some(({ failure }) =>
    failure === undefined || failure.failure === "refused"
  );
  return answered ||
    (servers ?? []).some(({ kind, alive }) => alive || !UNHEARD.has(kind)) ||
    portal.state !== "unknown";
}

/** The addresses of the target that could be connected to. */
export function opened({ connects }: Findings): readonly ConnectFinding[] {
  return connects.filter(({ failure }) => failure === undefined);
}
