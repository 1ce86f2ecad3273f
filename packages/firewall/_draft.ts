import { isMost, unicast } from "./_address_set.ts";
import type { LinuxFacts } from "./_linux_facts.ts";
import { evaluate, type Place } from "./_nft_evaluate.ts";
import { allPorts, PORTS, questionOf } from "./_nft_packet.ts";
import {
  chainKey,
  type NftChain,
  nftKey,
  type NftRule,
  type NftRuleset,
} from "./_nft_ruleset.ts";
import { type Drop, place } from "./_nft_flow.ts";
import { type Owner, ownersOf } from "./_owner.ts";
import type { PlanTerms } from "./_plan_linux.ts";
import { type Asked, describeAsked } from "./_request.ts";
import {
  firewalldStep,
  leaseSet,
  type NftChange,
  nftChange,
  nftExpression,
  nftStep,
  ufwStep,
} from "./_steps.ts";
import {
  type IptablesChange,
  iptablesChange,
  iptablesSteps,
} from "./_steps_iptables.ts";
import { droppedAt, type Verdict, verdictsOf } from "./_verdict.ts";
import type { LayerName, Outcome } from "./outcome.ts";
import type { PlanStep } from "./plan.ts";

/** Places that one plan may change: real hosts have two or three. */
const CHANGES_MAX = 32;

/** A ruleset that is changed, drop by drop, until the connection is let in. */
export class Draft {
  /** The ruleset as it was, without what other leases have opened. */
  readonly original: NftRuleset;
  readonly #facts: LinuxFacts;
  readonly #asked: Asked;
  readonly #terms: PlanTerms;
  readonly #owner: Owner;
  #ruleset: NftRuleset;
  readonly #nft: NftChange[] = [];
  readonly #nftPlaces: string[] = [];
  readonly #iptables: IptablesChange[] = [];
  readonly #managed = new Map<string, PlanStep>();
  #doubt: string | undefined;

  constructor(
    facts: LinuxFacts,
    ruleset: NftRuleset,
    asked: Asked,
    terms: PlanTerms,
  ) {
    this.#facts = facts;
    this.original = ruleset;
    this.#ruleset = ruleset;
    this.#asked = asked;
    this.#terms = terms;
    this.#owner = ownersOf(facts, ruleset);
  }

  get changed(): NftRuleset {
    return this.#ruleset;
  }

  get steps(): readonly PlanStep[] {
    return [
      ...this.#nft.length > 0
        ? [nftStep(this.#nft, this.#nftPlaces, this.#asked)]
        : [],
      ...iptablesSteps(this.#iptables, this.#asked),
      ...this.#managed.values(),
    ];
  }

  get after(): Outcome {
    return this.#doubt === undefined
      ? {
        status: "would-open",
        why: `With these rules nothing that can be seen stops ${
          describeAsked(this.#asked)
        }`,
      }
      : {
        status: "unknown",
        why: `It will be let in, if this does not stop it: ${this.#doubt}`,
      };
  }

  /** Changes the draft until all families pass; or says why it cannot. */
  open(): string | undefined {
    for (let left = CHANGES_MAX; left > 0; left--) {
      const verdicts = verdictsOf(this.#ruleset, this.#asked);
      const next = verdicts.find(({ status }) => status === "blocked");
      if (next?.status !== "blocked") return this.#conclude(verdicts);
      const refusal = this.#change(next);
      if (refusal !== undefined) return refusal;
    }
    return `It is dropped in more than ${CHANGES_MAX} places`;
  }

  #conclude(verdicts: readonly Verdict[]): string | undefined {
    const unknown = verdicts.find(({ status }) => status === "unknown");
    if (unknown?.status === "unknown") this.#doubt = unknown.why;
    const { legacy, unseen } = this.#facts;
    this.#doubt ??= unseen;
    if (legacy.type === "unknown") this.#doubt ??= legacy.why;
    return undefined;
  }

  #change(verdict: Verdict & { status: "blocked" }): string | undefined {
    const { place: { drop, packet } } = verdict;
    const layer = this.#layerOf(drop);
    if (!this.#terms.overrideDeny && this.#isDeliberate(verdict)) {
      const text = drop.rule?.text === undefined ? "" : ` (${drop.rule.text})`;
      return `${
        place(drop)
      }${text} denies it on purpose, for it is about this port or these sources: take that rule out first, or override it`;
    }
    if (layer === "ufw" || layer === "firewalld") {
      return this.#askManager(layer, verdict.place);
    }
    if (layer === "nftables") {
      const change = nftChange(drop, packet, this.#asked, this.#terms);
      const where = place(drop);
      this.#nft.push(change);
      this.#nftPlaces.push(
        drop.rule === undefined
          ? `at the end of chain ${drop.chain.name} (table ${drop.chain.family} ${drop.chain.table}), whose policy drops`
          : `before ${where[0]!.toLowerCase()}${where.slice(1)}`,
      );
      this.#put(drop.chain, change.rule, drop.rule);
      this.#putSet(drop.chain);
      return undefined;
    }
    const change = iptablesChange(drop, packet, this.#asked, this.#terms);
    this.#iptables.push(change);
    this.#put(drop.chain, change.rule, drop.rule);
    return undefined;
  }

  /** Managers write no drops into chains of the kernel: others do. */
  #layerOf({ chain, rule }: Drop): LayerName {
    const layer = this.#owner(chain);
    if (layer !== "ufw" || chain.hook === undefined || rule === undefined) {
      return layer;
    }
    return chain.legacy ? "iptables-legacy" : "iptables-nft";
  }

  /**
   * Whether what drops it is about few ports or few sources, and so a ban or a
   * denial, which is the user's will; what drops most of everything is not.
   */
  #isDeliberate({ place: { drop }, family, link }: Verdict & {
    status: "blocked";
  }): boolean {
    if (drop.rule === undefined) return false;
    const { protocol } = this.#asked;
    const anyone: Asked = { ...this.#asked, source: undefined };
    const bySource = questionOf(anyone, family, link);
    const sources = droppedAt(evaluate(this.#ruleset, bySource), drop);
    if (!isMost(sources, unicast(family))) return true;
    const source = questionOf(this.#asked, family, link).all;
    const byPort = { ...allPorts(family, protocol, source), link };
    const ports = droppedAt(evaluate(this.#ruleset, byPort), drop);
    return !isMost(ports, PORTS);
  }

  #askManager(
    layer: "ufw" | "firewalld",
    { drop, packet }: Place,
  ): string | undefined {
    if (packet.direction === "reply") {
      return `${
        place(drop)
      } drops the answers, and ${layer} is not told about answers: allow them there first`;
    }
    const zone = zoneOf(drop.chain, this.#facts);
    const key = `${layer} ${zone}`;
    const target = layer === "ufw"
      ? drop.chain.family === "ip6" ? "ufw6-user-input" : "ufw-user-input"
      : `${drop.chain.table === "firewalld" ? "filter_" : ""}IN_${zone}_post`;
    const chain = this.#ruleset.chains.get(chainKey(drop.chain, target));
    if (chain === undefined) {
      return `${place(drop)} drops it, and its ${layer} has no chain ${target}`;
    }
    const expr = nftExpression(chain, packet, this.#asked, this.#asked.port);
    const known = chain.rules.some(({ added }) => added);
    if (known) {
      return `${layer} would put its rule after what drops it: ${place(drop)}`;
    }
    const { mark, overrideDeny } = this.#terms;
    const first = layer === "ufw" && overrideDeny ? chain.rules[0] : undefined;
    this.#put(chain, { handle: undefined, expr, added: true }, first);
    const step = layer === "ufw"
      ? ufwStep(this.#asked, mark, overrideDeny)
      : firewalldStep(this.#asked, zone, this.#terms);
    this.#managed.set(key, step);
    return undefined;
  }

  /** Puts a rule before the one that drops, or at the end. */
  #put(chain: NftChain, rule: NftRule, before: NftRule | undefined): void {
    const at = before === undefined
      ? chain.rules.length
      : chain.rules.indexOf(before);
    const changed: NftChain = {
      ...chain,
      rules: chain.rules.toSpliced(at, 0, rule),
    };
    const chains = new Map(this.#ruleset.chains)
      .set(chainKey(chain), changed);
    this.#ruleset = { ...this.#ruleset, chains };
  }

  #putSet({ family, table }: NftChain): void {
    if (this.#terms.leaseSeconds === undefined) return;
    const key = nftKey(family, table, leaseSet(this.#terms));
    const set = { elements: [this.#asked.port], dynamic: false };
    const sets = new Map(this.#ruleset.sets).set(key, set);
    this.#ruleset = { ...this.#ruleset, sets };
  }
}

/** The zone whose chain it is, or the default one. */
function zoneOf({ name }: NftChain, { firewalld }: LinuxFacts): string {
  const [, zone] = /^(?:filter_)?IN_(.+?)(?:_(?:pre|log|deny|allow|post))?$/
    .exec(name) ?? [];
  if (zone !== undefined) return zone;
  return firewalld.type === "known" && firewalld.value !== undefined
    ? firewalld.value.defaultZone
    : "public";
}
