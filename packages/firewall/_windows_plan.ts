import type { ChangePlan } from "./_other_apply.ts";
import { digestOf } from "./_other_tag.ts";
import type { OtherAsked } from "./_other_request.ts";
import { describeAsked } from "./_request.ts";
import { windowsChange } from "./_windows_change.ts";
import {
  addScript,
  LOCAL_SUBNET,
  netshAdd,
  netshRemove,
  removeScript,
  ruleOf,
  type WindowsSpec,
} from "./_windows_commands.ts";
import { named } from "./_windows_evaluate.ts";
import type { Defender, WindowsFacts } from "./_windows_facts.ts";
import {
  judgeWindows,
  profilesInUse,
  verdictsFor,
  type WindowsJudgement,
} from "./_windows_judge.ts";
import { badWindowsProgram } from "./_windows_program.ts";
import { powerShellArgv } from "./_windows_quote.ts";
import type { Profile } from "./_windows_rules.ts";
import type { Outcome } from "./outcome.ts";
import type { PlanOptions, PlanStep } from "./plan.ts";

/** Plans one narrow rule in the firewall of Windows. */
export async function planWindows(
  facts: WindowsFacts,
  asked: OtherAsked,
  tag: string,
  options: Pick<PlanOptions, "publicNetworks"> = {},
): Promise<ChangePlan> {
  const judgement = await judgeWindows(facts, asked);
  const { outcome } = judgement;
  if (outcome.status === "open") {
    return { plan: { status: "nothing-to-do", outcome }, changes: [] };
  }
  const refuse = (why: string): ChangePlan => ({
    plan: { status: "refused", why, outcome },
    changes: [],
  });
  const { defender } = facts;
  if (defender.type !== "known" || outcome.status === "managed") {
    return refuse(outcome.why);
  }
  const bad = asked.program && badWindowsProgram(asked.program);
  if (bad) return refuse(`program ${JSON.stringify(asked.program)} ${bad}`);
  const { publicNetworks = false } = options;
  const used = profilesInUse(await facts.connections(), asked.interface);
  const obstacles = new Map(
    judgement.profiles.map((profile) =>
      [profile, obstacleIn(judgement, profile, publicNetworks)] as const
    ),
  );
  const wanted = judgement.profiles.filter((profile) =>
    obstacles.get(profile) === undefined
  );
  if (!wanted.some((profile) => used.includes(profile))) {
    const [first] = used.flatMap((profile) => obstacles.get(profile) ?? []);
    return refuse(first ?? outcome.why);
  }
  const spec = specOf(wanted, asked, tag);
  const taken = defender.value.rules.find((rule) => rule.id === spec.name);
  if (taken !== undefined) {
    return refuse(`${named(taken)} has the name of ours and does not open it`);
  }
  const after = afterwards(facts, defender.value, asked, spec);
  if (after.status !== "would-open") return refuse(after.why);
  return ready(facts, outcome, after, spec, asked);
}

/** Why no rule of ours is made for a kind of network; undefined to make it. */
function obstacleIn(
  { verdicts }: WindowsJudgement,
  profile: Profile,
  publicNetworks: boolean,
): string | undefined {
  const here = verdicts.filter((placed) => placed.profile === profile)
    .map(({ verdict }) => verdict);
  if (here.every(({ type }) => type === "open")) return here[0]?.why ?? "";
  for (const verdict of here) {
    if (verdict.type === "unknown") return verdict.why;
    if (verdict.type !== "blocked" || verdict.by === "default") continue;
    return verdict.by === "rule"
      ? `${verdict.why}: no other rule can open it; take that rule away first, if you do not want it`
      : `${verdict.why}: allow rules do not count until that is switched off`;
  }
  return publicNetworks || profile !== "public"
    ? undefined
    : "it is blocked on public networks, where nothing is opened unless publicNetworks is set";
}

function specOf(
  wanted: readonly Profile[],
  asked: OtherAsked,
  tag: string,
): WindowsSpec {
  const { protocol, port, program } = asked;
  const remote = remoteOf(asked);
  const digest = digestOf([
    protocol,
    String(port),
    remote.join(),
    wanted.join(),
    program ?? "",
    asked.address ?? "",
  ]);
  return {
    name: `${tag}.${digest}`,
    group: tag,
    protocol,
    port,
    profiles: wanted,
    remote,
    local: asked.address,
    program,
  };
}

function remoteOf({ source }: OtherAsked): readonly string[] {
  if (source === undefined) return [LOCAL_SUBNET];
  if (source.length > 0) return [`${source.address}/${source.length}`];
  // All of one family: `Any` would be both, and `/0` is not taken everywhere.
  return source.family === "ipv4"
    ? ["0.0.0.0/1", "128.0.0.0/1"]
    : ["::/1", "8000::/1"];
}

/** The outcome with the rule, evaluated as any other. */
function afterwards(
  facts: WindowsFacts,
  defender: Defender,
  asked: OtherAsked,
  spec: WindowsSpec,
): Outcome {
  const rule = ruleOf(spec);
  const local = spec.remote[0] === LOCAL_SUBNET;
  // Said of the local subnet alone, so as if all that is asked came from there.
  const added = local ? { ...rule, remote: undefined } : rule;
  const changed = { ...defender, rules: [...defender.rules, added] };
  const verdicts = verdictsFor(changed, facts, asked, spec.profiles);
  const still = verdicts.find(({ verdict }) => verdict.type !== "open");
  if (still !== undefined) {
    return { status: "unknown", why: still.verdict.why };
  }
  return {
    status: "would-open",
    why: `it would be let in on ${spec.profiles.join(" and ")} networks${
      local ? ", from the local subnet only" : ""
    }`,
  };
}

function ready(
  facts: WindowsFacts,
  before: Outcome,
  after: Outcome,
  spec: WindowsSpec,
  asked: OtherAsked,
): ChangePlan {
  const who = spec.program === undefined ? "" : ` to ${spec.program}`;
  const sentence = `Lets in ${describeAsked(asked)}${who} on ${
    spec.profiles.join(" and ")
  } networks from ${
    spec.remote[0] === LOCAL_SUBNET ? "the local subnet" : spec.remote.join()
  }: one rule named ${spec.name}`;
  const [open, close] = facts.powershell
    ? [
      powerShellStep(addScript(spec), sentence),
      powerShellStep(removeScript(spec), `Takes rule ${spec.name} back`),
    ]
    : [
      netshStep(netshAdd(spec), sentence),
      netshStep(netshRemove(spec), `Takes rule ${spec.name} back`),
    ];
  return {
    plan: {
      status: "ready",
      tag: spec.group,
      before,
      after,
      steps: [{ ...open, undo: close }],
    },
    changes: [windowsChange(spec, open, close)],
  };
}

function powerShellStep(script: string, sentence: string): PlanStep {
  return {
    layer: "defender",
    argv: powerShellArgv(script),
    stdin: undefined,
    sentence,
    script,
  };
}

function netshStep(argv: string[], sentence: string): PlanStep {
  return { layer: "defender", argv, stdin: undefined, sentence };
}
