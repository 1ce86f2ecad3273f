// Random rulesets, as text for `nft -f` and for `iptables-restore`.
import fc from "fast-check";
import { iptables } from "./random_iptables.ts";

/** The ports that are probed. */
export const PORTS: readonly number[] = [8080, 8081];

/** Rules of nft, and those of iptables, by the tool that loads them. */
export interface Ruleset {
  readonly nft: string;
  readonly iptables: readonly {
    readonly tool: string;
    readonly text: string;
  }[];
}

const verdict = fc.oneof(
  { weight: 6, arbitrary: fc.constant("accept") },
  { weight: 4, arbitrary: fc.constant("drop") },
  { weight: 1, arbitrary: fc.constant("reject") },
  { weight: 1, arbitrary: fc.constant("return") },
  { weight: 1, arbitrary: fc.constant("counter") },
);

const ports = fc.constantFrom(
  ...["8080", "8081", "{ 8080, 9000 }", "{ 22, 8000-8080 }", "8081-9000"],
  ...["!= 8080", ">= 8081", "< 8081", "@open", "!= @open", "@leased"],
);

const sources = {
  ip: fc.constantFrom(
    ...["ip saddr 10.99.0.2", "ip saddr 10.99.0.0/24", "ip protocol tcp"],
    ...["ip saddr != 10.99.0.2", "ip saddr { 10.99.0.66, 10.98.0.0/16 }"],
    ...["ip saddr @banned", "ip saddr != @banned", "ip saddr < 10.99.0.60"],
    ...["ip daddr 10.99.0.1", "ip saddr 10.99.0.2-10.99.0.9"],
    "ip saddr . tcp dport @pairs",
    "ip saddr . tcp dport { 10.99.0.2 . 8080, 10.0.0.0/8 . 8081-9000 }",
  ),
  ip6: fc.constantFrom(
    ...["ip6 saddr fd99::2", "ip6 saddr fd99::/64", "ip6 nexthdr tcp"],
    ...["ip6 saddr != fd99::/64", "ip6 saddr { fe80::/10, fd99::66 }"],
  ),
};

const general = fc.constantFrom(
  ...["", "", "ct state new", "ct state { new, established }"],
  ...["ct state != invalid", "ct state ! established,related"],
  ...['iifname "v0"', 'iifname "lo"', 'iifname "v*"', 'iifname != "v0"'],
  ...['iifname { "lo", "x*" }', "meta l4proto tcp", "counter"],
  ...["meta l4proto { icmp, udp }", "udp dport 8080", "th dport 8081"],
  ...["meta l4proto . th dport { tcp . 8080, udp . 8081 }"],
  ...["meta mark 1", "meta mark & 3 == 2", "meta mark != 1", "ct mark 5"],
  ...["tcp flags & (fin|syn|rst|ack) == syn", "tcp flags ack"],
  ...["ct direction original", "ct status dnat", "meta pkttype host"],
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

const marks = fc.constantFrom(
  ...["meta mark set 1", "meta mark set meta mark | 2", "ct mark set 5"],
  ...["meta mark set 0", "ct mark set meta mark", "meta mark set ct mark"],
);

function special(family: Family): fc.Arbitrary<string> {
  return fc.constantFrom(
    "ct state vmap { established : accept, invalid : drop }",
    "ct state vmap { established : accept, new : jump sub2 }",
    "tcp dport vmap { 8080 : accept, 8081-8085 : drop }",
    "tcp dport vmap @verdicts",
    "meta l4proto . th dport vmap { tcp . 8080 : accept, udp . 8080 : drop }",
    family === "ip6"
      ? "ip6 saddr vmap { fd99::2 : goto sub2, fd99::66 : drop }"
      : "ip saddr vmap { 10.99.0.2 : goto sub2, 10.99.0.66 : drop }",
    "fib daddr type local accept",
    "fib saddr . iif oif missing drop",
    "limit rate 1000/second accept",
    'log prefix "x" counter',
  );
}

type Depth = "top" | "sub" | "sub2";

function rules(family: Family, depth: Depth): fc.Arbitrary<string> {
  const jumps = {
    top: ["jump sub", "goto sub", "jump sub2"],
    sub: ["jump sub2", "goto sub2"],
    sub2: [],
  }[depth];
  const specials = special(family).filter((text) =>
    depth !== "sub2" || !text.includes("sub2")
  );
  return fc.oneof(
    { weight: 8, arbitrary: line(conditions(family), verdict) },
    {
      weight: 2,
      arbitrary: fc.constant("ct state established,related accept"),
    },
    { weight: 1, arbitrary: fc.constant("ct state invalid drop") },
    { weight: 2, arbitrary: specials },
    { weight: 1, arbitrary: line(conditions(family), marks) },
    ...jumps.map((jump) => ({
      weight: 1,
      arbitrary: line(conditions(family), fc.constant(jump)),
    })),
  );
}

function line(
  condition: fc.Arbitrary<string>,
  end: fc.Arbitrary<string>,
): fc.Arbitrary<string> {
  return fc.tuple(condition, end).map((parts) => parts.join(" "));
}

const body = (lines: readonly string[]) =>
  lines.map((rule) => `    ${rule}\n`).join("");

function chain(
  name: string,
  hook: string,
  priorities: readonly number[],
  family: Family,
): fc.Arbitrary<string> {
  return fc.tuple(
    fc.constantFrom(...priorities),
    fc.constantFrom("accept", "accept", "drop"),
    fc.array(rules(family, "top"), { minLength: 1, maxLength: 5 }),
  ).map(([priority, policy, lines]) =>
    `  chain ${name} {\n    type filter hook ${hook} priority ${priority}; policy ${policy};\n${
      body(lines)
    }  }\n`
  );
}

const output = fc.constantFrom(
  "policy drop;\n    ct state established accept",
  "policy drop;\n    tcp sport 8080 accept",
  "policy accept;\n    tcp sport 8081 drop",
  "policy accept;\n    tcp flags & (syn|ack) == syn|ack drop",
  'policy drop;\n    oifname "v0" th sport { 8080, 8081 } accept',
);

function table(name: string): fc.Arbitrary<string> {
  return fc.constantFrom<Family>("inet", "inet", "ip", "ip6").chain((family) =>
    fc.record({
      sub: fc.array(rules(family, "sub"), { maxLength: 3 }),
      sub2: fc.array(rules(family, "sub2"), { maxLength: 3 }),
      input: chain("in", "input", [-10, 0, 0, 5], family),
      raw: fc.option(chain("raw", "prerouting", [-300, -150, 10], family), {
        freq: 3,
        nil: "",
      }),
      output: fc.option(output, { freq: 3 }),
      post: fc.option(fc.constant("th sport 8081 drop"), { freq: 1 }),
    }).map(({ sub, sub2, input, raw, output, post }) => {
      const sets = family === "ip6" ? "" : `  set banned {
    type ipv4_addr; flags interval; elements = { 10.99.0.66, 10.1.0.0/16 }
  }
  set pairs {
    type ipv4_addr . inet_service; flags interval
    elements = { 10.99.0.0/24 . 8080, 10.99.0.2 . 9000-9005 }
  }
`;
      return `table ${family} ${name} {
  set open { type inet_service; flags interval; elements = { 8080, 9000-9010 }; }
  set leased { type inet_service; flags timeout; elements = { 8081 timeout 1h }; }
  map verdicts { type inet_service : verdict; elements = { 8080 : drop, 8081 : accept }; }
${sets.replaceAll("@banned", "@open")}  chain sub2 {\n${body(sub2)}  }
  chain sub {\n${body(sub)}  }
${input}${raw}${
        output === null
          ? ""
          : `  chain out {\n    type filter hook output priority 0; ${output}\n  }\n`
      }${
        post === null
          ? ""
          : `  chain post {\n    type filter hook postrouting priority 0; policy accept;\n    ${post}\n  }\n`
      }}\n`;
    })
  );
}

const ingress = fc.constantFrom(
  ...["ip saddr 10.99.0.66 drop", "tcp dport 8081 drop", "counter"],
).map((rule) =>
  `table netdev early {\n  chain i {\n    type filter hook ingress device "v0" priority 0; policy accept;\n    ${rule}\n  }\n}\n`
);

const nft = fc.oneof(
  { weight: 4, arbitrary: table("one") },
  {
    weight: 3,
    arbitrary: fc.tuple(table("one"), table("two")).map((both) =>
      both.join("")
    ),
  },
  {
    weight: 1,
    arbitrary: fc.tuple(table("one"), ingress).map((both) => both.join("")),
  },
);

/** Rules of nft, of iptables, or of both. */
export const rulesets: fc.Arbitrary<Ruleset> = fc.oneof(
  { weight: 5, arbitrary: nft.map((text) => ({ nft: text, iptables: [] })) },
  {
    weight: 2,
    arbitrary: iptables.map((scripts) => ({ nft: "", iptables: scripts })),
  },
  {
    weight: 1,
    arbitrary: fc.record({ nft: table("one"), iptables }),
  },
);
