// deno-lint-ignore-file no-console -- a command line writes lines
import type { Outcome } from "./outcome.ts";
import type { Plan } from "./plan.ts";
import type { FirewallReport } from "./report.ts";
import type { OwnedRule } from "./rules_list.ts";

/** Which firewalls there are. */
export function showReport(report: FirewallReport, json: boolean): number {
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

/** What becomes of a connection; 0 when it is let in. */
export function showOutcome(outcome: Outcome, json: boolean): number {
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

/** A plan, for a person to read; 1 when there is none. */
export function showPlan(plan: Plan, json: boolean): number {
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
      console.log(`  which runs:\n    ${script.replaceAll("\n", "\n    ")}`);
    }
    if (stdin !== undefined) {
      const lines = stdin.trimEnd().split("\n").join("\n    ");
      console.log(`  with this input:\n    ${lines}`);
    }
  }
  console.log(`\nafter: ${plan.after.why}`);
  if (plan.rehearsal !== undefined) {
    const { status, why } = plan.rehearsal;
    console.log(`rehearsal: ${status} (${why})`);
  }
  if (plan.proof !== undefined) {
    const { compared, changed } = plan.proof;
    console.log(
      `of ${compared} ports, protocols, families and sources only these change: ${
        changed.join("; ")
      }`,
    );
  }
  return 0;
}

/** Rules of ours. */
export function showRules(rules: readonly OwnedRule[], json: boolean): number {
  for (const rule of rules) {
    console.log(
      json
        ? JSON.stringify(rule)
        : `${rule.tag} ${rule.id} ${rule.layer} (${rule.where}): ${rule.text}`,
    );
  }
  return 0;
}

/** For reading, and for a shell. */
function quote(argument: string): string {
  return /^[\w./:=-]+$/.test(argument)
    ? argument
    : `'${argument.replaceAll("'", `'\\''`)}'`;
}
