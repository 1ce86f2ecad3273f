import type { Change, RuleState } from "./_other_sequence.ts";
import { digestOf } from "./_other_tag.ts";
import type { PfRuleset } from "./_pf_evaluate.ts";
import { matchPfRule, type PfPacket } from "./_pf_match.ts";
import type { Pf } from "./_pf_facts.ts";
import { judgePf, type PfVerdict } from "./_pf_judge.ts";
import { parsePfRules, type PfRule, type Services } from "./_pf_parser.ts";
import { parsePfRule } from "./_pf_rule_parser.ts";
import { type OtherAsked, ownSpan } from "./_other_request.ts";
import { describeAsked } from "./_request.ts";
import type { PlanStep } from "./plan.ts";
import type { Ran } from "./runner.ts";

/** Anchors of an administrator that ours may go below, by their first part. */
export type AnchorRoots = readonly string[];

/** A rule of ours in an anchor of its own. */
export interface PfSpec {
  readonly path: string;
  readonly text: string;
}

/** One rule that opens it, or why there is none. */
export type PfPlan =
  | {
    readonly type: "ready";
    readonly spec: PfSpec;
    readonly change: Change;
    /** Rules that go on to block a part of what is asked. */
    readonly stillBlocked: readonly PfRule[];
  }
  | { readonly type: "refused"; readonly why: string };

/** Labels of pf are at most 63 characters. */
const LABEL_MAX = 63;

/** Plans a rule in an own anchor, evaluated on a copy of all rules. */
export function planPf(
  pf: Pf,
  asked: OtherAsked,
  tag: string,
  roots: AnchorRoots,
): PfPlan {
  if (!pf.on) return refused("pf is off");
  if (tag.length > LABEL_MAX) {
    return refused(`pf takes labels of at most ${LABEL_MAX} characters`);
  }
  const before = judgePf(pf, asked);
  if (before.type !== "blocked") return refused(before.why);
  if (!isGeneral(before.decision.rule)) {
    return refused(
      `${before.why}: that rule is meant for this, and is not overruled; take it away first, if you do not want it`,
    );
  }
  const hook = hookOf(pf.ruleset.main, roots);
  if (hook === undefined) {
    return refused(
      `pf has no anchor for rules of programs: add the line anchor "${
        roots[0]
      }/*" to pf.conf where it should count, and load it`,
    );
  }
  const path = `${hook.root}/hf-${
    digestOf([tag, ruleText(asked, tag, false)])
  }`;
  if ((pf.ruleset.anchors.get(path) ?? []).length > 0) {
    return refused(`anchor ${path} is ours and does not open it`);
  }
  for (const quick of [false, true]) {
    const text = ruleText(asked, tag, quick);
    const ban = quick ? banAfter(pf.ruleset, hook.index, asked) : undefined;
    if (ban !== undefined) {
      return refused(
        `only a quick rule would open it, and that would overrule "${ban.text}", which stands behind the anchor`,
      );
    }
    const anchors = new Map(pf.ruleset.anchors);
    const ours = parsePfRule(text, pf.services);
    anchors.set(path, [ours]);
    const after = judgePf(
      { ...pf, ruleset: { ...pf.ruleset, anchors } },
      asked,
    );
    const stillBlocked = blockedStill(after, ours);
    if (stillBlocked !== undefined) {
      const spec = { path, text };
      const change = pfChange(spec, asked, pf.services);
      return { type: "ready", spec, change, stillBlocked };
    }
    if (quick) return refused(after.why);
  }
  return refused("no rule opens it");
}

/** Undefined when it does not open; else who goes on to block a part of it. */
function blockedStill(
  after: PfVerdict,
  ours: PfRule,
): readonly PfRule[] | undefined {
  if (after.type === "open") return [];
  if (after.type !== "unknown") return undefined;
  const passes = after.decisions.filter(({ verdict }) => verdict === "pass");
  const blocks = after.decisions.flatMap(({ verdict, rule }) =>
    verdict === "block" && rule !== undefined ? [rule] : []
  );
  return passes.length > 0 && passes.every(({ rule }) => rule === ours) &&
      passes.length + blocks.length === after.decisions.length
    ? blocks
    : undefined;
}

function refused(why: string): PfPlan {
  return { type: "refused", why };
}

/** Whether a rule blocks all that is left, and not just some peers or ports. */
function isGeneral(rule: PfRule | undefined): boolean {
  return rule !== undefined && rule.from.host.type === "any" &&
    rule.from.port === undefined && rule.to.port === undefined;
}

/** The anchor of all rulesets below one of the roots, in the main ruleset. */
function hookOf(
  main: readonly PfRule[],
  roots: AnchorRoots,
): { readonly root: string; readonly index: number } | undefined {
  for (const root of roots) {
    const index = main.findIndex((rule) =>
      rule.action === "anchor" && rule.anchor === `${root}/*`
    );
    if (index >= 0) return { root, index };
  }
  return undefined;
}

/** A rule behind the anchor that blocks some of what is asked. */
function banAfter(
  ruleset: PfRuleset,
  index: number,
  asked: OtherAsked,
): PfRule | undefined {
  const behind = ruleset.main.slice(index + 1).flatMap((rule) => [
    rule,
    ...rule.inner ?? [],
    ...rule.action !== "anchor" || rule.anchor === undefined ? [] : [
      ...ruleset.anchors,
    ].flatMap(([path, rules]) =>
      path.startsWith(rule.anchor!.replace(/\*$/, "")) ? rules ?? [] : []
    ),
  ]);
  return behind.find((rule) =>
    rule.action === "block" &&
    asked.families.some((family) => {
      const packet: PfPacket = {
        family,
        protocol: asked.protocol,
        flags: "S",
        direction: "in",
        port: asked.port,
        peer: asked.source?.span,
        interface: asked.interface,
        own: ownSpan(asked),
      };
      return matchPfRule(rule, packet, ruleset, "") === "maybe";
    })
  );
}

/** The rule as pf prints it. Every part is a checked value. */
export function ruleText(
  asked: OtherAsked,
  tag: string,
  quick: boolean,
): string {
  const { source, families, protocol, port } = asked;
  const from = source === undefined
    ? "any"
    : `${source.address}/${source.length}`;
  return [
    "pass in",
    ...quick ? ["quick"] : [],
    ...asked.interface === undefined ? [] : [`on ${asked.interface}`],
    ...families.length > 1 ? [] : [families[0] === "ipv4" ? "inet" : "inet6"],
    `proto ${protocol} from ${from} to ${
      asked.address ?? "any"
    } port = ${port}`,
    ...protocol === "tcp" ? ["flags S/SA"] : [],
    `keep state label "${tag}"`,
  ].join(" ");
}

/** The rule as a change: an own anchor is loaded, and later loaded empty. */
export function pfChange(
  { path, text }: PfSpec,
  asked: OtherAsked,
  services: Services,
): Change {
  const step = (stdin: string, sentence: string): PlanStep => ({
    layer: "pf",
    argv: ["/sbin/pfctl", "-a", path, "-f", "-"],
    stdin,
    sentence,
  });
  return {
    reads: [
      { tool: "pfctl", args: ["-v", "-s", "Anchors"] },
      { tool: "pfctl", args: ["-a", path, "-s", "rules"] },
    ],
    stateOf: (answers) => anchorState({ path, text }, answers, services),
    open: step(
      `${text}\n`,
      `Lets in ${describeAsked(asked)} by one rule in the anchor ${path} of pf`,
    ),
    // Without a rule an anchor is gone; nothing else is emptied.
    close: step("\n", `Takes the rule in the anchor ${path} of pf back`),
    refused: () => false,
  };
}

/** How our anchor stands, by the names of all anchors and its rules. */
function anchorState(
  { path, text }: PfSpec,
  [names, printed]: readonly Ran[],
  services: Services,
): RuleState {
  if (names?.type !== "ran" || names.code !== 0) {
    return { type: "unknown", why: "the anchors of pf cannot be read" };
  }
  if (!names.stdout.split("\n").some((line) => line.trim() === path)) {
    return { type: "absent" };
  }
  if (printed?.type !== "ran" || printed.code !== 0) {
    return { type: "unknown", why: `anchor ${path} cannot be read` };
  }
  const rules = parsePfRules(printed.stdout, services);
  const [only] = rules;
  if (only === undefined) return { type: "absent" };
  return rules.length === 1 && same(only, parsePfRule(text, services))
    ? { type: "present" }
    : { type: "different", why: `anchor ${path} was changed by somebody` };
}

function same(a: PfRule, b: PfRule): boolean {
  const plain = (rule: PfRule) =>
    JSON.stringify(
      { ...rule, text: "" },
      (_key, value) => typeof value === "bigint" ? String(value) : value,
    );
  return plain(a) === plain(b);
}
