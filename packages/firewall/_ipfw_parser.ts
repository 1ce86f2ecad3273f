import type {
  IpfwAction,
  IpfwHost,
  IpfwPorts,
  IpfwRule,
  IpfwTables,
  IpfwTest,
} from "./_ipfw_rules.ts";
import { parseAddressSpan } from "./_other_address.ts";
import type { TableEntry } from "./_other_match.ts";

const HEAD = /^(# DISABLED )?(\d{5}) (?:set (\d{1,2}) )?(.*)$/;
const ALLOW = /^(allow|accept|pass|permit)$/;
const DENY = /^(deny|drop|reset|reset6|reject|unreach|unreach6)$/;
const CONTINUE = /^(count|setfib|setdscp|setmark|reass|tcp-setmss)$/;
const ARGUMENT = /^(unreach6?|setfib|setdscp|setmark|tcp-setmss)$/;

/**
 * Reads what `ipfw -S list` prints. Any text is accepted: a line with a number
 * that cannot be read further becomes a rule with an opaque condition.
 */
export function parseIpfwRules(text: string): IpfwRule[] {
  return text.split(/\r?\n/).flatMap((line) => {
    const [, disabled, number, set = "0", rest] = HEAD.exec(line) ?? [];
    if (number === undefined || rest === undefined) return [];
    return [{
      ...parseBody(rest),
      number: Number(number),
      set: Number(set),
      disabled: disabled !== undefined,
      text: rest,
    }];
  });
}

type Body = Pick<
  IpfwRule,
  "action" | "tests" | "keeps" | "looksUp" | "comment"
>;

function parseBody(rest: string): Body {
  const at = rest.search(/ \/\/( |$)/);
  const comment = at < 0 ? undefined : rest.slice(at + 3).trim();
  const words = (at < 0 ? rest : rest.slice(0, at)).split(/\s+/).filter((w) =>
    w !== ""
  );
  const reader = new BodyReader(words);
  const body = reader.read();
  return { ...body, comment };
}

class BodyReader {
  readonly #words: readonly string[];
  readonly #tests: IpfwTest[][] = [];
  #keeps: string | undefined;
  #looksUp = false;
  #at = 0;

  constructor(words: readonly string[]) {
    this.#words = words;
  }

  read(): Omit<Body, "comment"> {
    if (this.#peek() === "prob") {
      this.#opaque(`prob ${this.#words[1] ?? ""}`);
      this.#at = 2;
    }
    const action = this.#action();
    while (/^(log|logamount|altq|tag|untag)$/.test(this.#peek())) {
      if (this.#next() !== "log") this.#next();
    }
    if (this.#words.includes("from")) this.#addresses();
    while (this.#at < this.#words.length) this.#option();
    return {
      action,
      tests: this.#tests,
      keeps: this.#keeps,
      looksUp: this.#looksUp,
    };
  }

  #next(): string {
    return this.#words[this.#at++] ?? "";
  }

  #peek(): string {
    return this.#words[this.#at] ?? "";
  }

  #opaque(text: string): void {
    this.#tests.push([{ on: "opaque", negated: false, text }]);
  }

  #action(): IpfwAction {
    const word = this.#next();
    if (ALLOW.test(word)) return { type: "allow" };
    if (DENY.test(word)) {
      if (ARGUMENT.test(word)) this.#next();
      return { type: "deny" };
    }
    if (CONTINUE.test(word)) {
      if (ARGUMENT.test(word)) this.#next();
      return { type: "continue" };
    }
    if (word === "check-state") {
      const named = this.#peek().startsWith(":");
      return { type: "check-state", flow: named ? this.#next() : ":any" };
    }
    if (word === "skipto" && /^\d{1,5}$/.test(this.#peek())) {
      return { type: "skipto", target: Number(this.#next()) };
    }
    // Its argument is passed over, up to what can only be a protocol.
    const text = [word];
    while (
      this.#at < this.#words.length - 1 && text.length < 4 &&
      this.#words[this.#at + 1] !== "from" && this.#peek() !== "{"
    ) text.push(this.#next());
    return { type: "opaque", text: text.join(" ") };
  }

  /** `{ a or b }`, or a single one, each with an optional `not`. */
  #alternatives(read: (negated: boolean) => IpfwTest): void {
    const tests: IpfwTest[] = [];
    const block = this.#peek() === "{";
    if (block) this.#next();
    do {
      const negated = this.#peek() === "not";
      if (negated) this.#next();
      tests.push(read(negated));
    } while (block && this.#peek() === "or" && this.#next() !== "");
    if (block && this.#next() !== "}") this.#opaque("an unfinished block");
    this.#tests.push(tests);
  }

  #addresses(): void {
    if (this.#peek() !== "from") {
      this.#alternatives((negated) => ({
        on: "proto",
        negated,
        name: this.#next(),
      }));
    }
    if (this.#next() !== "from") this.#opaque("no from");
    this.#end("src");
    if (this.#next() !== "to") this.#opaque("no to");
    this.#end("dst");
  }

  #end(on: "src" | "dst"): void {
    this.#alternatives((negated) => ({
      on,
      negated,
      hosts: this.#next().split(/,(?![^(]*\))/).map(hostOf),
    }));
    const at = this.#peek() === "not" ? this.#at + 1 : this.#at;
    if (!/^\d[\d,-]*$/.test(this.#words[at] ?? "")) return;
    const negated = at > this.#at;
    this.#at = at;
    const ports = portsOf(this.#next());
    this.#tests.push([{ on: `${on}-port`, negated, ports }]);
  }

  #option(): void {
    if (/^(keep-state|record-state)$/.test(this.#peek())) {
      this.#looksUp = this.#next() === "keep-state";
      this.#keeps = this.#flow();
    } else if (/^(limit|set-limit)$/.test(this.#peek())) {
      this.#looksUp = this.#peek() === "limit";
      // Past the limit a packet does not match.
      this.#opaque(`${this.#next()} ${this.#next()} ${this.#next()}`);
      this.#keeps = this.#flow();
    } else this.#alternatives((negated) => this.#test(negated));
  }

  #flow(): string {
    return this.#peek().startsWith(":") ? this.#next() : ":default";
  }

  #test(negated: boolean): IpfwTest {
    const word = this.#next();
    switch (word) {
      case "in":
      case "out":
      case "setup":
      case "established":
        return { on: word, negated };
      case "via":
      case "recv":
      case "xmit":
        return { on: word, negated, name: this.#next() };
      case "tcpflags":
        return { on: word, negated, flags: this.#next() };
      case "proto":
        return { on: word, negated, name: this.#next() };
      case "ip4":
      case "ipv4":
      case "ip6":
      case "ipv6":
        return { on: "proto", negated, name: word };
      case "src-ip":
      case "src-ip6":
      case "dst-ip":
      case "dst-ip6":
        return {
          on: word.slice(0, 3) as "src" | "dst",
          negated,
          hosts: this.#next().split(/,(?![^(]*\))/).map(hostOf),
        };
      case "src-port":
      case "dst-port":
        return { on: word, negated, ports: portsOf(this.#next()) };
      // Taken for granted of packets that come the right way.
      case "verrevpath":
      case "versrcreach":
      case "antispoof":
        return { on: "always", negated };
      case "icmptypes":
      case "icmp6types":
        this.#next();
        return { on: "never", negated };
      case "frag":
      case "diverted":
      case "diverted-loopback":
      case "diverted-output":
        return { on: "never", negated };
    }
    return { on: "opaque", negated, text: this.#unknown(word) };
  }

  /** An option that is not known, with what may be its argument. */
  #unknown(word: string): string {
    const known =
      /^(in|out|setup|established|via|recv|xmit|keep-state|limit|src-.*|dst-.*|not|or|\{|\})$/;
    return this.#peek() === "" || known.test(this.#peek())
      ? word
      : `${word} ${this.#next()}`;
  }
}

function hostOf(text: string): IpfwHost {
  if (text === "any" || text === "me" || text === "me6") return { type: text };
  const [, table] = /^table\(([^(),]+)\)$/.exec(text) ?? [];
  if (table !== undefined) return { type: "table", name: table };
  // `address:mask` is an older way; a range is none that ipfw has.
  const span = text.includes("-") || text === ""
    ? undefined
    : parseAddressSpan(text) ??
      parseAddressSpan(text.replace(/^([\d.]+):([\d.]+)$/, "$1/$2"));
  return span === undefined
    ? { type: "opaque", text }
    : { type: "span", ...span };
}

function portsOf(text: string): readonly IpfwPorts[] | undefined {
  const ports: IpfwPorts[] = [];
  for (const part of text.split(",")) {
    const [, lo, hi] = /^(\d{1,5})(?:-(\d{1,5}))?$/.exec(part) ?? [];
    if (lo === undefined) return undefined;
    ports.push({ lo: Number(lo), hi: Number(hi ?? lo) });
  }
  return ports;
}

/** Reads what `ipfw table all list` prints. */
export function parseIpfwTables(text: string): IpfwTables {
  const tables = new Map<string, TableEntry[] | undefined>();
  let name: string | undefined;
  for (const line of text.split(/\r?\n/)) {
    const head = /^-+\s*table\(([^()]+)\)/.exec(line)?.[1];
    if (head !== undefined) {
      name = head;
      tables.set(name, []);
    } else if (name !== undefined && line.trim() !== "") {
      const span = parseAddressSpan(line.trim().split(/\s+/)[0]!);
      if (span === undefined) tables.set(name, undefined);
      else tables.get(name)?.push({ ...span, negated: false });
    }
  }
  return tables;
}
