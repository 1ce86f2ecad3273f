// pf and ipfw beside naive models of them, and any text given to the parsers.
import { assert, assertEquals } from "@std/assert";
import fc from "fast-check";
import { parsePrefix } from "./_address.ts";
import { judgeIpfw } from "./_ipfw_judge.ts";
import { parseIpfwRules, parseIpfwTables } from "./_ipfw_parser.ts";
import { inTable } from "./_other_match.ts";
import { parseTable, redirectsOf } from "./_pf_facts.ts";
import { judgePf } from "./_pf_judge.ts";
import { parsePfRules, parseServices } from "./_pf_parser.ts";
import type { Asked } from "./_request.ts";
import { recording } from "./testdata/recorded.ts";
import * as ipfw from "./testdata/ipfw_model.ts";
import * as pf from "./testdata/pf_model.ts";

const packet = fc.record({
  on: fc.constantFrom("em0", "em1"),
  proto: fc.constantFrom("tcp" as const, "udp"),
  peer: fc.integer({ min: 1, max: 4 }),
  port: fc.integer({ min: 79, max: 82 }),
});
const SOAK = Deno.env.get("HOLDFAST_SOAK") === "1";
const RUNS = SOAK ? 50_000 : 4000;

function askedOf(
  point: { on: string; proto: "tcp" | "udp"; peer: number; port: number },
  many = 32,
): Asked {
  return {
    port: point.port,
    protocol: point.proto,
    families: ["ipv4"],
    source: many === 0
      ? undefined
      : parsePrefix(many === 32 ? `${point.peer}.2.3.4` : `0.0.0.0/${many}`)!,
    interface: many === 0 ? undefined : point.on,
  };
}

const services = parseServices("");

function pfOf(set: pf.ModelSet) {
  return {
    on: true,
    ruleset: {
      main: parsePfRules(pf.textOf(set.main), services),
      anchors: new Map(
        Object.entries(set.anchors).map(([path, rules]) => [
          path,
          parsePfRules(pf.textOf(rules), services),
        ]),
      ),
      tables: new Map([[
        " friends",
        parseTable(set.table.map((byte) => `   ${byte}.0.0.0/8\n`).join(""))!,
      ]]),
    },
    redirects: [],
    skipped: [],
    services,
  } as const;
}

Deno.test("pf evaluator: a connection from one source ends as in the naive model", () => {
  let decided = 0;
  fc.assert(
    fc.property(pf.modelSet, packet, (set, point) => {
      const verdict = judgePf(pfOf(set), askedOf(point));
      const accepted = pf.modelAccepts(set, point);
      if (verdict.type !== "unknown") {
        decided++;
        assertEquals(verdict.type, accepted ? "open" : "blocked", verdict.why);
      }
    }),
    { numRuns: RUNS },
  );
  assert(decided > RUNS * 0.7, `${decided} of ${RUNS}`);
});

Deno.test("pf evaluator: what it says of many sources holds for each", () => {
  let certain = 0;
  fc.assert(
    fc.property(
      pf.modelSet,
      packet,
      fc.constantFrom(0, 5, 6),
      (set, point, length) => {
        const verdict = judgePf(pfOf(set), askedOf(point, length));
        if (verdict.type === "unknown") return;
        certain++;
        const interfaces = length === 0 ? ["em0", "em1"] : [point.on];
        const last = length === 0 ? 9 : 3;
        for (const on of interfaces) {
          for (let peer = 1; peer <= last; peer++) {
            const accepted = pf.modelAccepts(set, { ...point, on, peer });
            assertEquals(verdict.type, accepted ? "open" : "blocked");
          }
        }
      },
    ),
    { numRuns: RUNS },
  );
  assert(certain > RUNS / 10, String(certain));
});

function ipfwOf(set: ipfw.ModelSet) {
  return {
    on: true,
    families: ["ipv4", "ipv6"],
    rules: parseIpfwRules(ipfw.textOf(set)),
    tables: parseIpfwTables(
      `--- table(friends), set(0) ---\n${
        set.table.map((byte) => `${byte}.0.0.0/8 0\n`).join("")
      }`,
    ),
    setsOff: [],
  } as const;
}

Deno.test("ipfw evaluator: a connection from one source ends as in the naive model", () => {
  let decided = 0;
  fc.assert(
    fc.property(ipfw.modelSet, packet, (set, point) => {
      const verdict = judgeIpfw(ipfwOf(set), askedOf(point));
      const accepted = ipfw.modelAccepts(set, point);
      if (verdict.type !== "unknown") {
        decided++;
        assertEquals(
          verdict.type,
          accepted ? "open" : "blocked",
          `${ipfw.textOf(set)}${verdict.why}`,
        );
      }
    }),
    { numRuns: RUNS },
  );
  assert(decided > RUNS * 0.7, `${decided} of ${RUNS}`);
});

Deno.test("ipfw evaluator: what it says of many sources holds for each", () => {
  let certain = 0;
  fc.assert(
    fc.property(
      ipfw.modelSet,
      packet,
      fc.constantFrom(0, 5, 6),
      (set, point, length) => {
        const verdict = judgeIpfw(ipfwOf(set), askedOf(point, length));
        if (verdict.type === "unknown") return;
        certain++;
        const interfaces = length === 0 ? ["em0", "em1"] : [point.on];
        for (const on of interfaces) {
          for (let peer = 1; peer <= (length === 0 ? 9 : 3); peer++) {
            const accepted = ipfw.modelAccepts(set, { ...point, on, peer });
            assertEquals(verdict.type, accepted ? "open" : "blocked");
          }
        }
      },
    ),
    { numRuns: RUNS },
  );
  assert(certain > RUNS / 10, String(certain));
});

Deno.test("tables: the longest prefix decides, as a naive look-up says", () => {
  const entry = fc.record({
    byte: fc.integer({ min: 0, max: 3 }),
    length: fc.integer({ min: 6, max: 10 }),
    negated: fc.boolean(),
  });
  fc.assert(
    fc.property(
      fc.uniqueArray(entry, {
        maxLength: 6,
        selector: ({ byte, length }) =>
          `${byte >> Math.max(0, 8 - length)}/${length}`,
      }),
      fc.integer({ min: 5, max: 12 }),
      (entries, length) => {
        const asked = parsePrefix(`0.0.0.0/${length}`)!.span;
        const table = entries.map(({ byte, length, negated }) => {
          const lo = (BigInt(byte) << 24n) >> BigInt(32 - length) <<
            BigInt(32 - length);
          const hi = lo + (1n << BigInt(32 - length)) - 1n;
          return { family: "ipv4" as const, span: { lo, hi }, negated, length };
        });
        const inside = (address: bigint) => {
          let best: typeof table[number] | undefined;
          for (const row of table) {
            if (address < row.span.lo || address > row.span.hi) continue;
            if (best === undefined || row.length > best.length) best = row;
          }
          return best !== undefined && !best.negated;
        };
        const verdict = inTable(asked, table);
        if (verdict === "maybe") return;
        const step = (asked.hi - asked.lo) / 64n + 1n;
        for (let at = asked.lo; at <= asked.hi; at += step) {
          assertEquals(verdict, inside(at) ? "yes" : "no");
        }
      },
    ),
    { numRuns: RUNS },
  );
});

/** Words of both languages, shuffled, and recordings with places broken. */
const WORDS =
  'pass block in out quick on em0 ! inet inet6 proto tcp from any to port = 80 22:23 >< <a> (em0) flags S/SA keep state ( ) { } anchor "x/*" all label allow deny skipto 10 00100 set 7 // not or me table(1) keep-state :default check-state limit 65535'
    .split(" ");
function broken(path: string): fc.Arbitrary<string> {
  const text = recording(path);
  return fc.array(
    fc.tuple(fc.nat(text.length), fc.nat(20), fc.string({ maxLength: 9 })),
    { maxLength: 6 },
  ).map((cuts) =>
    cuts.reduce(
      (left, [at, gone, put]) =>
        left.slice(0, at) + put + left.slice(at + gone),
      text,
    )
  );
}

Deno.test("pf and ipfw parsers: any text ends in a verdict, and in no throw", () => {
  const text = fc.oneof(
    fc.string(),
    fc.string({ unit: "binary" }),
    fc.array(
      fc.array(fc.constantFrom(...WORDS), { maxLength: 14 })
        .map((words) => words.join(" ")),
      { maxLength: 6 },
    ).map((lines) => lines.join("\n")),
    broken("freebsd/pf_rules.txt"),
    broken("freebsd/ipfw_list.txt"),
  );
  fc.assert(
    fc.property(text, packet, (printed, point) => {
      const main = parsePfRules(printed, parseServices(printed));
      const verdict = judgePf({
        on: true,
        ruleset: { main, anchors: new Map([["x/a", main]]), tables: new Map() },
        redirects: redirectsOf(printed, services),
        skipped: [],
        services,
      }, askedOf(point));
      assert(verdict.why !== "");
      parseTable(printed);
      const rules = parseIpfwRules(printed);
      const other = judgeIpfw({
        on: true,
        families: ["ipv4"],
        rules,
        tables: parseIpfwTables(printed),
        setsOff: [],
      }, askedOf(point));
      assert(other.why !== "");
    }),
    { numRuns: 1500 },
  );
});
