import { judge, ufwIsLoaded } from "./_judge.ts";
import type { LinuxFacts } from "./_linux_facts.ts";
import { evaluateFamily, type Evaluation } from "./_nft_evaluate.ts";
import {
  type NftChain,
  nftKey,
  type NftRule,
  type NftRuleset,
} from "./_nft_ruleset.ts";
import { type Drop, place } from "./_nft_walk.ts";
import { ownersOf } from "./_owner.ts";
import { type Asked, describeAsked } from "./_request.ts";
import {
  firewalldStep,
  iptablesStep,
  type NftChange,
  nftChange,
  nftExpression,
  nftStep,
  ufwStep,
} from "./_steps.ts";
import { ufwDrops } from "./_ufw.ts";
import type { LayerName, Outcome } from "./outcome.ts";
import type { Plan, PlanStep } from "./plan.ts";

/** Places that one plan may change: real hosts have two or three. */
const CHANGES_MAX = 32;

/** Finds the changes that let a connection in, on a copy of the ruleset. */
export function planLinux(facts: LinuxFacts, asked: Asked, tag: string): Plan {
  const before = judge(facts, asked);
  if (before.status === "open") {
    return { status: "nothing-to-do", outcome: before };
  }
  if (before.status !== "blocked-by" || facts.ruleset.type !== "known") {
    return { status: "refused", why: before.why, outcome: before };
  }
  const draft = new Draft(facts, facts.ruleset.value, asked, tag);
  const refusal = draft.open();
  if (refusal !== undefined) {
    return { status: "refused", why: refusal, outcome: before };
  }
  const { steps, after } = draft;
  return { status: "ready", tag, before, after, steps };
}

class Draft {
  readonly #facts: LinuxFacts;
  readonly #asked: Asked;
  readonly #tag: string;
  #ruleset: NftRuleset;
  readonly #nft: NftChange[] = [];
  readonly #nftPlaces: string[] = [];
  readonly #others: PlanStep[] = [];
  /** Managers that are asked: their chains are theirs to write. */
  readonly #managers = new Set<LayerName>();

  constructor(
    facts: LinuxFacts,
    ruleset: NftRuleset,
    asked: Asked,
    tag: string,
  ) {
    this.#facts = facts;
    this.#ruleset = ruleset;
    this.#asked = asked;
    this.#tag = tag;
  }

  get steps(): readonly PlanStep[] {
    return this.#nft.length === 0
      ? this.#others
      : [nftStep(this.#nft, this.#nftPlaces, this.#asked), ...this.#others];
  }

  get after(): Outcome {
    const managers = [...this.#managers].join(" and ");
    return managers === ""
      ? {
        status: "would-open",
        why: `With these rules nothing that can be seen stops ${
          describeAsked(this.#asked)
        }`,
      }
      : {
        status: "unknown",
        why: `${managers} writes the rules: check again after the plan`,
      };
  }

  /** Changes the draft until all families pass; or says why it cannot. */
  open(): string | undefined {
    for (let left = CHANGES_MAX; left > 0; left--) {
      const next = this.#next();
      if (next === undefined) return this.#checkLegacy();
      if (next.type === "unknown") {
        return `With the first drops opened it cannot be told: ${next.why}`;
      }
      this.#change(next);
    }
    return `It is dropped in more than ${CHANGES_MAX} places`;
  }

  #next() {
    const owner = ownersOf(this.#facts, this.#ruleset);
    const { ufw } = this.#facts;
    if (
      !this.#managers.has("ufw") && ufwIsLoaded(this.#ruleset, owner) &&
      ufw.type === "known" && ufw.value !== undefined
    ) {
      if (ufwDrops(ufw.value, this.#asked) !== "yes") {
        const why = "ufw has rules that may concern it";
        return { type: "unknown", why } as const;
      }
      this.#managers.add("ufw");
      this.#others.push(ufwStep(this.#asked, this.#tag));
    }
    for (const family of this.#asked.families) {
      const evaluation = evaluateFamily(
        this.#ruleset,
        this.#asked,
        family,
        (chain) => this.#managers.has(owner(chain)),
      );
      if (evaluation.type !== "passes") return evaluation;
    }
    return undefined;
  }

  #change({ drop, packet }: Evaluation & { type: "dropped" }): void {
    const owner = ownersOf(this.#facts, this.#ruleset)(drop.chain);
    if (owner === "firewalld") {
      this.#managers.add(owner);
      this.#others.push(firewalldStep(this.#asked));
      return;
    }
    if (owner === "iptables-nft") {
      this.#others.push(iptablesStep(drop, packet, this.#asked, this.#tag));
      const expr = nftExpression(drop.chain, packet, this.#asked);
      this.#put(drop, { handle: undefined, expr });
      return;
    }
    const change = nftChange(drop, packet, this.#asked, this.#tag);
    const where = place(drop);
    this.#nft.push(change);
    this.#nftPlaces.push(
      drop.rule === undefined
        ? `at the end of chain ${drop.chain.name} (table ${drop.chain.family} ${drop.chain.table}), whose policy drops`
        : `before ${where[0]!.toLowerCase()}${where.slice(1)}`,
    );
    this.#put(drop, change.rule);
  }

  /** Puts a rule before the one that drops, or at the end. */
  #put({ chain, rule: dropping }: Drop, rule: NftRule): void {
    const at = dropping === undefined
      ? chain.rules.length
      : chain.rules.indexOf(dropping);
    const changed: NftChain = {
      ...chain,
      rules: chain.rules.toSpliced(at, 0, rule),
    };
    const key = nftKey(chain.family, chain.table, chain.name);
    const chains = new Map(this.#ruleset.chains).set(key, changed);
    this.#ruleset = { ...this.#ruleset, chains };
  }

  #checkLegacy(): string | undefined {
    const { legacy } = this.#facts;
    if (legacy.type === "known" && !legacy.value.filters) return undefined;
    return "Rules of iptables-legacy are there, or cannot be seen";
  }
}
