import { familyOf } from "./_address.ts";
import { parseAddressSpan } from "./_other_address.ts";
import type { PfEnd, PfPort, PfRule, Services } from "./_pf_parser.ts";

const ANY: PfEnd = {
  negated: false,
  host: { type: "any" },
  port: undefined,
};
const EMPTY: PfRule = {
  text: "",
  action: "unread",
  quick: false,
  direction: undefined,
  interface: undefined,
  family: undefined,
  protocol: undefined,
  from: ANY,
  to: ANY,
  flags: undefined,
  keepsState: false,
  label: undefined,
  anchor: undefined,
  inner: undefined,
  conditions: [],
};

/** Words, quoted texts, and groups in parentheses. */
export function pfTokens(line: string): string[] {
  return line.match(/"[^"]*"|\([^()]*(?:\([^()]*\)[^()]*)*\)|[^\s"()]+/g) ?? [];
}

/** Reads one rule; `unread` where it is none. */
export function parsePfRule(line: string, services: Services): PfRule {
  const tokens = pfTokens(line);
  const reader = new Reader(tokens, services);
  const rule = reader.rule(line);
  return rule ?? unreadRule(line);
}

/** A line that is no rule that this version can read. */
export function unreadRule(text: string): PfRule {
  return { ...EMPTY, text };
}

type Draft = { -readonly [Key in keyof PfRule]: PfRule[Key] };

class Reader {
  readonly #tokens: readonly string[];
  readonly #services: Services;
  #at = 0;

  constructor(tokens: readonly string[], services: Services) {
    this.#tokens = tokens;
    this.#services = services;
  }

  rule(text: string): PfRule | undefined {
    const draft: Draft = { ...EMPTY, text, conditions: [] };
    const conditions: string[] = [];
    if (!this.#head(draft)) return undefined;
    while (this.#at < this.#tokens.length) this.#part(draft, conditions);
    return { ...draft, conditions };
  }

  #next(): string {
    return this.#tokens[this.#at++] ?? "";
  }

  #peek(): string {
    return this.#tokens[this.#at] ?? "";
  }

  #head(draft: Draft): boolean {
    const action = this.#next();
    if (action === "anchor") {
      draft.action = "anchor";
      if (this.#peek().startsWith('"')) draft.anchor = unquote(this.#next());
      return true;
    }
    if (action !== "pass" && action !== "block" && action !== "match") {
      return false;
    }
    draft.action = action;
    if (action === "block") {
      while (
        /^(drop|return|return-rst|return-icmp6?|\(.*\)|return-icmp.*)$/
          .test(this.#peek())
      ) this.#next();
    }
    return true;
  }

  #part(draft: Draft, conditions: string[]): void {
    const word = this.#next();
    switch (word) {
      case "in":
      case "out":
        draft.direction = word;
        return;
      case "quick":
        draft.quick = true;
        return;
      case "log":
        if (this.#peek().startsWith("(")) this.#next();
        return;
      case "on": {
        const negated = this.#peek() === "!";
        if (negated) this.#next();
        draft.interface = { name: this.#next(), negated };
        return;
      }
      case "inet":
        draft.family = "ipv4";
        return;
      case "inet6":
        draft.family = "ipv6";
        return;
      case "proto":
        draft.protocol = this.#next();
        return;
      case "all":
        return;
      case "from":
        draft.from = this.#end(draft.protocol);
        return;
      case "to":
        draft.to = this.#end(draft.protocol);
        return;
      case "flags":
        draft.flags = flagsOf(this.#next(), conditions);
        return;
      case "keep":
      case "modulate":
      case "synproxy":
        if (this.#peek() === "state") this.#next();
        draft.keepsState = true;
        this.#options(conditions);
        return;
      case "no":
        if (this.#peek() === "state") this.#next();
        return;
      case "label":
        draft.label = unquote(this.#next());
        return;
      // What it does with a packet that it passes is not our concern.
      case "reply-to":
      case "tag":
      case "queue":
      case "rtable":
      case "ridentifier":
      case "prio":
      case "set":
        this.#next();
        return;
      case "allow-opts":
        return;
    }
    conditions.push(this.#rest(word));
  }

  /** Limits on states, past which a packet is dropped. */
  #options(conditions: string[]): void {
    if (!this.#peek().startsWith("(")) return;
    const options = this.#next();
    if (/\bmax|source-track|overload/.test(options)) conditions.push(options);
  }

  /** A condition that is not known, up to the next word that is. */
  #rest(word: string): string {
    const words = [word];
    while (
      this.#at < this.#tokens.length &&
      !/^(from|to|flags|keep|modulate|synproxy|no|label|proto|inet6?|all|on|quick|tag)$/
        .test(this.#peek())
    ) words.push(this.#next());
    return words.join(" ");
  }

  #end(protocol: string | undefined): PfEnd {
    let word = this.#next();
    const negated = word === "!" || (word.startsWith("!") && word.length > 1);
    if (negated) word = word === "!" ? this.#next() : word.slice(1);
    const host = this.#host(word);
    return { negated, host, port: this.#port(protocol) };
  }

  #host(word: string): PfEnd["host"] {
    if (word === "any") return { type: "any" };
    const [, table] = /^<([^<>:]+)(?::\d+)?>$/.exec(word) ?? [];
    if (table !== undefined) return { type: "table", name: table };
    if (word === "route") {
      return { type: "opaque", text: `route ${this.#next()}` };
    }
    const range = this.#peek() === "-";
    if (range) this.#next();
    const text = range ? `${word}-${this.#next()}` : word;
    const span = familyOf(word.split("/")[0]!) && parseAddressSpan(text);
    return span === undefined
      ? { type: "opaque", text }
      : { type: "span", ...span };
  }

  #port(protocol: string | undefined): PfPort | undefined {
    if (this.#peek() !== "port") return undefined;
    this.#next();
    const first = this.#next();
    if (/^(=|!=|<|<=|>|>=)$/.test(first)) {
      const from = this.#number(this.#next(), protocol);
      return { op: first as "=", from, to: from };
    }
    const [low, high] = first.split(":");
    if (high !== undefined) {
      return {
        op: ":",
        from: this.#number(low!, protocol),
        to: this.#number(high, protocol),
      };
    }
    const op = this.#peek();
    if (op === "><" || op === "<>") {
      this.#next();
      const to = this.#number(this.#next(), protocol);
      return { op, from: this.#number(first, protocol), to };
    }
    const from = this.#number(first, protocol);
    return { op: "=", from, to: from };
  }

  #number(text: string, protocol: string | undefined): number | undefined {
    if (/^\d{1,5}$/.test(text)) return Number(text);
    return this.#services.get(`${protocol ?? "tcp"}/${text}`);
  }
}

function unquote(token: string): string {
  return token.startsWith('"') ? token.slice(1, -1) : token;
}

function flagsOf(
  text: string,
  conditions: string[],
): PfRule["flags"] {
  if (text === "any") return undefined;
  const [, set, of] = /^([FSRPAUEW]*)\/([FSRPAUEW]+)$/.exec(text) ?? [];
  if (set !== undefined && of !== undefined) return { set, of };
  conditions.push(`flags ${text}`);
  return undefined;
}
