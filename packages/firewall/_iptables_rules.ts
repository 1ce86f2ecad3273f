import { translateTarget } from "./_iptables_target.ts";
import type { Tri } from "./_tri.ts";

/** Statements in the words of nft, and the comment of the rule. */
export interface Translated {
  readonly expr: readonly unknown[];
  readonly comment: string | undefined;
}

/** Modules whose options are options of their protocol. */
const PROTOCOLS = new Set(["tcp", "udp", "icmp", "icmp6", "sctp"]);

/** Reads the words of a rule after `-A CHAIN`. */
export function translateRule(
  words: readonly string[],
  family: "ip" | "ip6",
): Translated {
  return new Translator(words, family).run();
}

const equal = (left: unknown, right: unknown, negated: boolean) => ({
  match: { op: negated ? "!=" : "==", left, right },
});
const holds = (tri: Tri) => ({ holds: tri });
const meta = (key: string) => ({ meta: { key } });
const payload = (protocol: string, field: string) => ({
  payload: { protocol, field },
});

class Translator {
  readonly #words: string[];
  readonly #family: "ip" | "ip6";
  readonly #expr: unknown[] = [];
  #protocol = "th";
  #module = "";
  #comment: string | undefined;

  constructor(words: readonly string[], family: "ip" | "ip6") {
    this.#words = [...words];
    this.#family = family;
  }

  run(): Translated {
    while (this.#words.length > 0) {
      const negated = this.#words[0] === "!";
      if (negated) this.#words.shift();
      const option = this.#words.shift()!;
      if (option === "-j" || option === "-g") {
        // What follows are options of the target.
        this.#expr.push(
          ...translateTarget(option, this.#take(), this.#words),
        );
        break;
      }
      this.#option(option, negated);
    }
    return { expr: this.#expr, comment: this.#comment };
  }

  #take(): string {
    return this.#words.shift() ?? "";
  }

  /** Words up to the next option: all that belongs to an unknown one. */
  #skip(): void {
    while (this.#words.length > 0 && !/^(-|!$)/.test(this.#words[0]!)) {
      this.#words.shift();
    }
  }

  #option(option: string, negated: boolean): void {
    switch (option) {
      case "-s":
      case "-d":
        return this.#address(option === "-s" ? "saddr" : "daddr", negated);
      case "-i":
      case "-o": {
        const key = option === "-i" ? "iifname" : "oifname";
        const name = this.#take().replace(/\+$/, "*");
        this.#expr.push(
          name === "*" ? holds("yes") : equal(meta(key), name, negated),
        );
        return;
      }
      case "-p":
        return this.#protocolIs(this.#take(), negated);
      case "-f":
        this.#expr.push(holds("maybe"));
        return;
      case "-m":
        this.#module = this.#take();
        // A module without options, such as `socket`, is a condition too.
        if (HEADERS.has(this.#module)) this.#expr.push(holds("no"));
        else if (
          !WITH_OPTIONS.has(this.#module) && !PROTOCOLS.has(this.#module)
        ) {
          this.#expr.push(holds(this.#module === "rpfilter" ? "yes" : "maybe"));
        }
        return;
      default:
        return this.#moduleOption(option, negated);
    }
  }

  #address(field: string, negated: boolean): void {
    const [addr = "", len = ""] = this.#take().split("/");
    const bits = this.#family === "ip" ? 32 : 128;
    const length = len === "" ? bits : Number(len);
    // A mask with holes (`/255.0.255.0`) is no prefix.
    this.#expr.push(
      Number.isInteger(length)
        ? equal(
          payload(this.#family, field),
          length === bits ? addr : { prefix: { addr, len: length } },
          negated,
        )
        : holds("maybe"),
    );
  }

  #protocolIs(name: string, negated: boolean): void {
    if (name === "all" || name === "0") return;
    if (!negated && (name === "tcp" || name === "udp")) this.#protocol = name;
    const number = Number(name);
    const known = name === "ipv6-icmp" ? "icmpv6" : name;
    this.#expr.push(
      equal(meta("l4proto"), Number.isNaN(number) ? known : number, negated),
    );
  }

  #moduleOption(option: string, negated: boolean): void {
    const left = PORTS[option];
    switch (option) {
      case "--sport":
      case "--dport":
      case "--sports":
      case "--dports":
        this.#expr.push(
          equal(payload(this.#protocol, left!), ports(this.#take()), negated),
        );
        return;
      case "--tcp-flags":
        this.#expr.push(tcpFlags(this.#take(), this.#take(), negated));
        return;
      case "--syn":
        this.#expr.push(tcpFlags("FIN,SYN,RST,ACK", "SYN", negated));
        return;
      case "--ctstate":
      case "--state":
        this.#expr.push({
          match: {
            op: negated ? "!" : "in",
            left: { ct: { key: "state" } },
            right: this.#take().toLowerCase().split(","),
          },
        });
        return;
      case "--ctdir":
        this.#expr.push(
          equal(
            { ct: { key: "direction" } },
            this.#take().toLowerCase(),
            negated,
          ),
        );
        return;
      case "--ctstatus":
        this.#expr.push(equal({ ct: { key: "status" } }, {
          set: this.#take().toLowerCase().split(","),
        }, negated));
        return;
      case "--mark":
        this.#expr.push(this.#mark(this.#take(), negated));
        return;
      case "--comment":
        this.#comment = this.#take();
        return;
      default:
        return this.#rarer(option, negated);
    }
  }

  #rarer(option: string, negated: boolean): void {
    const fib = (flag: string) => ({ fib: { result: "type", flags: [flag] } });
    switch (option) {
      case "--src-type":
      case "--dst-type": {
        const flag = option === "--src-type" ? "saddr" : "daddr";
        const set = this.#take().toLowerCase().split(",");
        this.#expr.push(equal(fib(flag), { set }, negated));
        return;
      }
      case "--pkt-type": {
        const type = this.#take().replace("unicast", "host");
        this.#expr.push(equal(meta("pkttype"), type, negated));
        return;
      }
      case "--src-range":
      case "--dst-range": {
        const field = option === "--src-range" ? "saddr" : "daddr";
        const range = this.#take().split("-");
        this.#expr.push(
          equal(payload(this.#family, field), { range }, negated),
        );
        return;
      }
      case "--datestop":
      case "--datestart": {
        const seconds = Date.parse(`${this.#take()}Z`) / 1000;
        const op = option === "--datestop" ? "<" : ">=";
        this.#expr.push(
          Number.isNaN(seconds)
            ? holds("maybe")
            : { match: { op, left: meta("time"), right: seconds } },
        );
        return;
      }
      case "--invert":
        // The way back is taken for valid.
        this.#expr.push(holds(this.#module === "rpfilter" ? "no" : "maybe"));
        return;
      case "--loose":
      case "--validmark":
      case "--accept-local":
        return;
      case "--limit":
        this.#expr.push({ limit: null });
        this.#skip();
        return;
      case "--icmp-type":
      case "--icmpv6-type":
        this.#expr.push(holds("no"));
        this.#skip();
        return;
      default:
        this.#expr.push(holds("maybe"));
        this.#skip();
    }
  }

  #mark(text: string, negated: boolean): unknown {
    const [value = "", mask = "0xffffffff"] = text.split("/");
    const mark = this.#module === "connmark"
      ? { ct: { key: "mark" } }
      : meta("mark");
    return equal({ "&": [mark, Number(mask)] }, Number(value), negated);
  }
}

/** Modules for headers that a packet of TCP or UDP has not got. */
const HEADERS = new Set(["rt", "mh", "ah", "esp", "sctp", "dccp", "icmp"]);

/** Modules that ask for nothing but what their options say. */
const WITH_OPTIONS = new Set([
  ...["conntrack", "state", "multiport", "comment", "addrtype", "mark"],
  ...["connmark", "iprange", "time", "pkttype", "limit"],
]);

const PORTS: Readonly<Record<string, string>> = {
  ...{ "--sport": "sport", "--sports": "sport" },
  ...{ "--dport": "dport", "--dports": "dport" },
};

function ports(text: string): unknown {
  const set = text.split(",").map((part) => {
    const [lo = 0, hi = lo] = part.split(":").map(Number);
    return lo === hi ? lo : { range: [lo, hi] };
  });
  return set.length === 1 ? set[0] : { set };
}

function tcpFlags(mask: string, wanted: string, negated: boolean): unknown {
  const flags = (text: string) =>
    text === "NONE" ? 0 : text === "ALL" ? 0x3f : text.toLowerCase().split(",");
  const left = { "&": [payload("tcp", "flags"), flags(mask)] };
  return equal(left, flags(wanted), negated);
}
