import { elementsOf, matchElement, matchStatement } from "./_nft_match.ts";
import type { Packet } from "./_nft_packet.ts";
import {
  isRecord,
  type NftChain,
  nftKey,
  type NftRule,
  type NftRuleset,
} from "./_nft_ruleset.ts";

/** The kernel allows 16 jumps; past that a ruleset is not one of its own. */
const DEPTH_MAX = 16;
/** Rules looked at for one packet: jumps can multiply them. */
const STEPS_MAX = 100_000;

/** The rule, or the policy, that dropped the packet. */
export interface Drop {
  readonly chain: NftChain;
  /** Undefined for the policy. */
  readonly rule: NftRule | undefined;
}

/** What may become of a packet in one base chain. */
export interface Walked {
  readonly mayAccept: boolean;
  /** The last place that may drop it: for sure, when nothing may accept it. */
  readonly drop: Drop | undefined;
  /** Why it is not certain; the first reason. */
  readonly doubt: string | undefined;
  /** Why nothing that follows can be told, not even in other chains. */
  readonly taint: string | undefined;
}

/** Statements that change neither the packet nor its way. */
const HARMLESS = new Set(["counter", "log", "comment", "last"]);
/** Statements that let the rule go on only now and then. */
const SOMETIMES = new Set([
  "limit",
  "quota",
  "ct count",
  "set",
  "map",
  "meter",
]);
/** Statements after which the packet is another one. */
const CHANGING = new Set([
  "notrack",
  "dnat",
  "snat",
  "masquerade",
  "redirect",
  "tproxy",
  "synproxy",
]);
const VERDICTS = new Set([
  "accept",
  "drop",
  "reject",
  "jump",
  "goto",
  "return",
  "continue",
]);

/** How a rule leaves its chain. */
type Leave = "stays" | "ends" | "returns";

/** Walks a packet through one base chain. */
export function walkChain(
  ruleset: NftRuleset,
  base: NftChain,
  packet: Packet,
): Walked {
  return new Walk(ruleset, packet).run(base);
}

class Walk {
  readonly #ruleset: NftRuleset;
  readonly #packet: Packet;
  #mayAccept = false;
  #drop: Drop | undefined;
  #doubt: string | undefined;
  #taint: string | undefined;
  #steps = 0;

  constructor(ruleset: NftRuleset, packet: Packet) {
    this.#ruleset = ruleset;
    this.#packet = packet;
  }

  run(base: NftChain): Walked {
    if (this.#chain(base, 0)) {
      if (base.policy === "drop") {
        this.#drop = { chain: base, rule: undefined };
      } else this.#mayAccept = true;
    }
    return {
      mayAccept: this.#mayAccept,
      drop: this.#drop,
      doubt: this.#doubt,
      taint: this.#taint,
    };
  }

  /** Whether the packet may come out at the end, or by a return. */
  #chain(chain: NftChain, depth: number): boolean {
    if (depth > DEPTH_MAX) {
      this.#anything({ chain, rule: undefined }, "its jumps are too deep");
      return true;
    }
    let returns = false;
    for (const rule of chain.rules) {
      if (++this.#steps > STEPS_MAX) {
        this.#anything({ chain, rule }, "it has too many rules");
        return true;
      }
      const leave = this.#rule(chain, rule, depth);
      if (leave.returns) returns = true;
      if (leave.ends) return returns;
    }
    return true;
  }

  /** `ends`: no packet goes on to the next rule; `returns`: one may go back. */
  #rule(
    chain: NftChain,
    rule: NftRule,
    depth: number,
  ): { ends: boolean; returns: boolean } {
    const at: Drop = { chain, rule };
    let certain = true;
    let returns = false;
    for (const statement of rule.expr) {
      const [kind, body] = isRecord(statement)
        ? Object.entries(statement)[0] ?? []
        : [];
      if (kind === undefined) {
        this.#anything(at, "one of its statements cannot be read");
        certain = false;
      } else if (kind === "match") {
        const holds = matchStatement(body, this.#packet, this.#scope(chain));
        if (holds === "no") break;
        if (holds === "maybe") {
          certain = false;
          this.#doubtAt(at, "what it asks for is not said by the request");
        }
      } else if (SOMETIMES.has(kind)) {
        certain = false;
        this.#doubtAt(at, `its "${kind}" holds only at times`);
      } else if (kind === "vmap") {
        const way = this.#vmap(at, body, depth);
        if (way.returns) returns = true;
        if (way.ends) return { ends: certain, returns };
      } else if (VERDICTS.has(kind)) {
        const leave = this.#verdict(at, kind, body, depth);
        if (leave === "returns") returns = true;
        return { ends: certain && leave !== "stays", returns };
      } else if (CHANGING.has(kind) || changes(kind, body)) {
        this.#taint ??= `${place(at)} may change the packet ("${kind}")`;
      } else if (
        !HARMLESS.has(kind) && kind !== "mangle" && !isComment(kind, body)
      ) {
        this.#anything(at, `its "${kind}" is not understood`);
        certain = false;
      }
    }
    return { ends: false, returns };
  }

  #verdict(at: Drop, kind: string, body: unknown, depth: number): Leave {
    switch (kind) {
      case "accept":
        this.#mayAccept = true;
        return "ends";
      case "drop":
      case "reject":
        this.#drop = at;
        return "ends";
      case "return":
        return "returns";
      case "jump":
      case "goto": {
        const target = this.#target(at.chain, body);
        if (target === undefined) {
          this.#anything(at, "it jumps to a chain that is not there");
          return "stays";
        }
        const comesBack = this.#chain(target, depth + 1);
        if (!comesBack) return "ends";
        return kind === "jump" ? "stays" : "returns";
      }
      default:
        return "stays";
    }
  }

  #vmap(
    at: Drop,
    body: unknown,
    depth: number,
  ): { ends: boolean; returns: boolean } {
    const { key, data } = isRecord(body) ? body : {};
    const map = elementsOf(data, this.#scope(at.chain));
    if (map === undefined || map.dynamic) {
      this.#anything(at, "its verdict map cannot be read");
      return { ends: false, returns: true };
    }
    let returns = false;
    for (const element of map.elements) {
      const [wanted, verdict] = Array.isArray(element) ? element : [];
      const holds = matchElement(key, wanted, this.#packet);
      if (holds === "no") continue;
      if (holds === "maybe") {
        this.#doubtAt(at, "what it asks for is not said by the request");
      }
      const [kind, target] = isRecord(verdict)
        ? Object.entries(verdict)[0] ?? []
        : [];
      if (kind === undefined || !VERDICTS.has(kind)) {
        this.#anything(at, "its verdict map cannot be read");
        continue;
      }
      const leave = this.#verdict(at, kind, target, depth);
      if (leave === "returns") returns = true;
      if (holds === "yes") return { ends: leave !== "stays", returns };
    }
    return { ends: false, returns };
  }

  #target(chain: NftChain, body: unknown): NftChain | undefined {
    const name = isRecord(body) ? body.target : undefined;
    if (typeof name !== "string") return undefined;
    return this.#ruleset.chains.get(nftKey(chain.family, chain.table, name));
  }

  #scope({ family, table }: NftChain) {
    return { ruleset: this.#ruleset, family, table };
  }

  #doubtAt(at: Drop, why: string): void {
    this.#doubt ??= `${place(at)}: ${why}`;
  }

  /** From here on, anything may become of the packet. */
  #anything(at: Drop, why: string): void {
    this.#mayAccept = true;
    this.#drop = at;
    this.#doubtAt(at, why);
  }
}

/** A comment of iptables: its only match that nft hides and that is certain. */
function isComment(kind: string, body: unknown): boolean {
  return kind === "xt" && isRecord(body) && body.type === "match" &&
    body.name === "comment";
}

/** Marks are asked for as unknown anyway; other changes are not followed. */
function changes(kind: string, body: unknown): boolean {
  if (kind !== "mangle") return false;
  const key = isRecord(body) ? body.key : undefined;
  return !isRecord(key) || !(isRecord(key.meta) || isRecord(key.ct));
}

/** `Rule 12 of chain in (table inet filter)`. */
export function place({ chain, rule }: Drop): string {
  const where = `chain ${chain.name} (table ${chain.family} ${chain.table})`;
  if (rule === undefined) return `The policy of ${where}`;
  return rule.handle === undefined
    ? `A new rule of ${where}`
    : `Rule ${rule.handle} of ${where}`;
}
