// Random rulesets, as text for `nft -f`.
import fc from "fast-check";

/** The ports that are probed. */
export const PORTS: readonly number[] = [8080, 8081];

const verdict = fc.oneof(
  { weight: 6, arbitrary: fc.constant("accept") },
  { weight: 4, arbitrary: fc.constant("drop") },
  { weight: 1, arbitrary: fc.constant("reject") },
  { weight: 1, arbitrary: fc.constant("return") },
  { weight: 1, arbitrary: fc.constant("counter") },
);

const ports = fc.constantFrom(
  "8080",
  "8081",
  "{ 8080, 9000 }",
  "{ 22, 8000-8080 }",
  "8081-9000",
  "!= 8080",
  ">= 8081",
  "< 8081",
  "@open",
);

const sources = {
  ip: fc.constantFrom(
    "ip saddr 10.99.0.2",
    "ip saddr 10.99.0.0/24",
    "ip saddr != 10.99.0.2",
    "ip saddr { 10.99.0.66, 10.98.0.0/16 }",
    "ip saddr @banned",
    "ip protocol tcp",
  ),
  ip6: fc.constantFrom(
    "ip6 saddr fd99::2",
    "ip6 saddr fd99::/64",
    "ip6 saddr != fd99::/64",
    "ip6 saddr { fe80::/10, fd00::1 }",
  ),
};

const general = fc.constantFrom(
  "",
  "ct state new",
  'iifname "v0"',
  'iifname "lo"',
  'iifname "v*"',
  "meta l4proto tcp",
  "meta l4proto { icmp, udp }",
  "counter",
  "udp dport 8080",
);

type Family = "inet" | "ip" | "ip6";

function conditions(family: Family): fc.Arbitrary<string> {
  const source = family === "inet"
    ? fc.oneof(
      sources.ip,
      sources.ip6,
      fc.constantFrom("meta nfproto ipv4", "meta nfproto ipv6"),
    )
    : sources[family];
  return fc.tuple(
    fc.option(source, { nil: "", freq: 1 }),
    fc.option(ports.map((p) => `tcp dport ${p}`), { nil: "", freq: 3 }),
    general,
  ).map((parts) => parts.filter((part) => part !== "").join(" "));
}

function rules(family: Family, inside: boolean): fc.Arbitrary<string> {
  const jumps = inside ? [] : [fc.constantFrom("jump sub", "goto sub")];
  return fc.oneof(
    { weight: 6, arbitrary: line(conditions(family), verdict) },
    {
      weight: 2,
      arbitrary: fc.constant("ct state established,related accept"),
    },
    { weight: 1, arbitrary: fc.constant("ct state invalid drop") },
    {
      weight: 1,
      arbitrary: fc.constantFrom(
        "ct state vmap { established : accept, invalid : drop }",
        "tcp dport vmap { 8080 : accept, 8081-8085 : drop }",
        "meta mark 7 drop",
        "limit rate 1000/second accept",
      ),
    },
    ...jumps.map((jump) => ({
      weight: 2,
      arbitrary: line(conditions(family), jump),
    })),
  );
}

function line(
  condition: fc.Arbitrary<string>,
  end: fc.Arbitrary<string>,
): fc.Arbitrary<string> {
  return fc.tuple(condition, end).map((parts) => parts.join(" "));
}

function table(name: string): fc.Arbitrary<string> {
  return fc.constantFrom<Family>("inet", "inet", "ip", "ip6").chain((family) =>
    fc.record({
      sub: fc.array(rules(family, true), { maxLength: 3 }),
      input: fc.array(rules(family, false), { minLength: 1, maxLength: 5 }),
      inputPolicy: fc.constantFrom("accept", "drop"),
      raw: fc.option(fc.array(rules(family, false), { maxLength: 2 }), {
        freq: 4,
      }),
      output: fc.option(
        fc.constantFrom(
          "policy drop; ct state established accept",
          "policy drop; tcp sport 8080 accept",
          "policy accept; tcp sport 8081 drop",
        ),
        { freq: 3 },
      ),
    }).map(({ sub, input, inputPolicy, raw, output }) => {
      const body = (lines: readonly string[]) =>
        lines.map((rule) => `    ${rule}\n`).join("");
      const banned = family === "ip6"
        ? ""
        : "  set banned { type ipv4_addr; flags interval; elements = { 10.99.0.2, 10.1.0.0/16 }; }\n";
      return `table ${family} ${name} {
  set open { type inet_service; flags interval; elements = { 8080, 9000-9010 }; }
${banned}  chain sub {\n${body(sub)}  }
  chain in {
    type filter hook input priority 0; policy ${inputPolicy};
${body(input)}  }
${
        raw === null
          ? ""
          : `  chain raw {\n    type filter hook prerouting priority 10; policy accept;\n${
            body(raw)
          }  }\n`
      }${
        output === null
          ? ""
          : `  chain out {\n    type filter hook output priority 0; ${
            output.replace("; ", ";\n    ")
          }\n  }\n`
      }}\n`;
    })
  );
}

/** One or two tables. */
export const rulesets: fc.Arbitrary<string> = fc.oneof(
  table("one"),
  fc.tuple(table("one"), table("two")).map((tables) => tables.join("")),
);
