import { assert } from "@std/assert";
import fc from "fast-check";
import { assemble } from "./_assemble.ts";
import { parseIpBatch } from "./_linux_ip.ts";
import { parseNetstat } from "./_netstat.ts";
import { parseRoutePrint } from "./_route_print.ts";
import type { DefaultRoute } from "./snapshot.ts";
import { recorded } from "./testdata/recorded.ts";

const FILES = [
  "linux_many.jsonl",
  "linux_none.jsonl",
  "netstat_macos_vpn.txt",
  "netstat_macos_old.txt",
  "netstat_freebsd.txt",
  "route_print_fr.txt",
  "route_print_es.txt",
  "route_print_en_v6.txt",
];

const noise = fc.uint8Array({ maxLength: 200 }).map((bytes) =>
  new TextDecoder().decode(bytes)
);

/** A recorded text with pieces cut out, doubled, or overwritten by noise. */
const mangled = fc.record({
  text: fc.constantFrom(...FILES.map(recorded)),
  cuts: fc.array(
    fc.record({
      at: fc.double({ min: 0, max: 1, noNaN: true }),
      take: fc.nat(80),
      put: noise,
    }),
    { minLength: 1, maxLength: 6 },
  ),
}).map(({ text, cuts }) =>
  cuts.reduce((mixed, { at, take, put }) => {
    const from = Math.floor(at * mixed.length);
    return mixed.slice(0, from) + put + mixed.slice(from + take);
  }, text)
);

function everything(text: string): DefaultRoute[] {
  const parts = parseIpBatch(text)?.parts;
  if (parts !== undefined) assemble(parts);
  return [
    ...parts?.defaultRoutes ?? [],
    ...parseNetstat(text) ?? [],
    ...parseRoutePrint(text, []) ?? [],
  ];
}

Deno.test("no bytes make a parser throw, and every gateway stands in the text", () => {
  fc.assert(
    fc.property(fc.oneof(noise, mangled), (text) => {
      for (const { gateway } of everything(text)) {
        assert(gateway === undefined || text.includes(gateway));
      }
    }),
    { numRuns: 1_500 },
  );
});

Deno.test("no JSON makes the parser of ip throw", () => {
  const rows = fc.array(fc.jsonValue()).map((value) => JSON.stringify(value));
  const known = fc.constantFrom(
    ...recorded("linux_many.jsonl").trimEnd().split("\n"),
  );
  fc.assert(
    fc.property(fc.array(fc.oneof(rows, known)), (lines) => {
      everything(lines.join("\n"));
    }),
    { numRuns: 500 },
  );
});

Deno.test("no route to elsewhere is taken for a default", () => {
  // Every row of the recorded tables that names another destination.
  const rows = FILES.slice(2).flatMap((name) => recorded(name).split("\n"))
    .filter((line) =>
      !/^default\s|^\s*0\.0\.0\.0\s+0\.0\.0\.0\s|::\/0/.test(line)
    );
  fc.assert(fc.property(fc.shuffledSubarray(rows), (some) => {
    assert(everything(some.join("\n")).length === 0);
  }));
});
