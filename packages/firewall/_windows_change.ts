import type { Span } from "./_address.ts";
import type { Change, RuleState } from "./_other_sequence.ts";
import { ruleOf, type WindowsSpec } from "./_windows_commands.ts";
import { named } from "./_windows_evaluate.ts";
import { sameProgram } from "./_windows_program.ts";
import { elevatedArgv, ELEVATION_REFUSED } from "./_windows_quote.ts";
import { parseRegQuery } from "./_windows_registry_parser.ts";
import {
  parseWindowsRule,
  PROFILES,
  type Scope,
  type WindowsRule,
} from "./_windows_rules.ts";
import type { PlanStep } from "./plan.ts";
import type { Ran } from "./runner.ts";

const RULES =
  "SYSTEM\\CurrentControlSet\\Services\\SharedAccess\\Parameters\\FirewallPolicy\\FirewallRules";

/** One rule as a change: each command behind one prompt of UAC. */
export function windowsChange(
  spec: WindowsSpec,
  open: PlanStep,
  close: PlanStep,
): Change {
  return {
    reads: [{ tool: "reg", args: ["query", `HKLM\\${RULES}`] }],
    stateOf: ([ran]) => windowsRuleState(spec, ran!),
    open: elevated(open),
    close: elevated(close),
    refused: (ran) => ran.type === "ran" && ran.code === ELEVATION_REFUSED,
  };
}

/** netsh has no prompt of its own: it is run as it is, by an administrator. */
function elevated(step: PlanStep): PlanStep {
  return step.script === undefined
    ? step
    : { ...step, argv: elevatedArgv(step.script) };
}

/** How our rule stands, by the rules that `reg query` prints. */
export function windowsRuleState(spec: WindowsSpec, ran: Ran): RuleState {
  if (ran.type !== "ran" || ran.code !== 0) {
    return { type: "unknown", why: "the rules cannot be read" };
  }
  const values = parseRegQuery(ran.stdout).get(RULES.toLowerCase());
  if (values === undefined) {
    return { type: "unknown", why: "reg.exe printed no rules" };
  }
  const ours: WindowsRule[] = [];
  for (const { name, data } of values.values()) {
    const rule = parseWindowsRule(name, data, "local");
    const mine = (text: string | undefined) =>
      text?.toLowerCase() === spec.name.toLowerCase();
    if (mine(name) || mine(rule?.name)) {
      if (rule === undefined) {
        return { type: "different", why: `rule ${name} cannot be read` };
      }
      ours.push(rule);
    }
  }
  const [only] = ours;
  if (only === undefined) return { type: "absent" };
  if (ours.length > 1) {
    return { type: "different", why: `${ours.length} rules have our name` };
  }
  return same(only, ruleOf(spec))
    ? { type: "present" }
    : { type: "different", why: `${named(only)} was changed by somebody` };
}

function same(a: WindowsRule, b: WindowsRule): boolean {
  return a.action === b.action && a.active === b.active &&
    a.direction === b.direction && a.protocol === b.protocol &&
    sameProgram(a.app, b.app) && a.edge === b.edge &&
    a.conditions.length === 0 && !a.packaged &&
    sorted(a.profiles ?? PROFILES) === sorted(b.profiles ?? PROFILES) &&
    sorted((a.localPorts ?? []).map(({ lo, hi }) => `${lo}-${hi}`)) ===
      sorted((b.localPorts ?? []).map(({ lo, hi }) => `${lo}-${hi}`)) &&
    scope(a.remote?.ipv4) === scope(b.remote?.ipv4) &&
    scope(a.remote?.ipv6) === scope(b.remote?.ipv6) &&
    scope(a.local?.ipv4) === scope(b.local?.ipv4) &&
    scope(a.local?.ipv6) === scope(b.local?.ipv6) &&
    (a.remote === undefined) === (b.remote === undefined);
}

function sorted(items: Iterable<string>): string {
  return [...items].sort().join();
}

function scope({ spans, words }: Scope = { spans: [], words: [] }): string {
  return `${sorted(words)} ${merged(spans).join()}`;
}

/** Spans in order, those that touch as one. */
function merged(spans: readonly Span[]): string[] {
  const joined: { lo: bigint; hi: bigint }[] = [];
  const order = [...spans].sort((a, b) => a.lo < b.lo ? -1 : 1);
  for (const { lo, hi } of order) {
    const last = joined.at(-1);
    if (last === undefined || lo > last.hi + 1n) joined.push({ lo, hi });
    else if (hi > last.hi) last.hi = hi;
  }
  return joined.map(({ lo, hi }) => `${lo}-${hi}`);
}
