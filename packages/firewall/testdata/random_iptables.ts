// Random rules of iptables, as text for `iptables-restore`.
import fc from "fast-check";

type Family = "ip" | "ip6";

const target = fc.oneof(
  { weight: 5, arbitrary: fc.constant("-j ACCEPT") },
  { weight: 4, arbitrary: fc.constant("-j DROP") },
  { weight: 1, arbitrary: fc.constant("-j REJECT") },
  { weight: 1, arbitrary: fc.constant("-j RETURN") },
  { weight: 1, arbitrary: fc.constant('-j LOG --log-prefix "a b"') },
);

const addresses = {
  ip: fc.constantFrom(
    ...["-s 10.99.0.2", "-s 10.99.0.0/24", "! -s 10.99.0.2", "-d 10.99.0.1"],
    "-m iprange --src-range 10.99.0.60-10.99.0.70",
  ),
  ip6: fc.constantFrom(
    ...["-s fd99::2", "-s fd99::/64", "! -s fd99::66", "-d fd99::1"],
  ),
};

const ports = fc.constantFrom(
  ...["-p tcp --dport 8080", "-p tcp --dport 8081:9000", "-p udp --dport 8080"],
  ...["-p tcp ! --dport 8080", "-p tcp -m multiport --dports 22,8000:8080"],
  ...["-p tcp --syn", "-p tcp", "-p udp", "! -p tcp"],
  "-p udp -m multiport ! --dports 8080,9000",
);

const general = fc.constantFrom(
  ...["", "", "-i v0", "-i lo", "! -i v+", "-i v+"],
  ...["-m conntrack --ctstate NEW", "-m state --state NEW,ESTABLISHED"],
  ...["-m conntrack ! --ctstate INVALID", "-m conntrack --ctdir ORIGINAL"],
  ...["-m mark --mark 0x1", "-m mark ! --mark 0x1/0x3", "-m connmark --mark 5"],
  ...["-m addrtype --dst-type LOCAL", "-m addrtype ! --src-type MULTICAST"],
  ...["-m pkttype --pkt-type unicast", "-m limit --limit 100/s"],
  ...["-m time --datestop 2030-01-01T00:00:00", "-m conntrack --ctstatus DNAT"],
  ...[
    "-m time --datestop 2020-01-01T00:00:00",
    '-m comment --comment "a \\"b"',
  ],
);

function rule(chain: string, family: Family): fc.Arbitrary<string> {
  const ends = chain === "sub"
    ? [target]
    : [target, target, fc.constantFrom("-j sub", "-g sub")];
  return fc.oneof(
    {
      weight: 6,
      arbitrary: fc.tuple(
        fc.option(addresses[family], { nil: "", freq: 1 }),
        fc.option(ports, { nil: "", freq: 3 }),
        general,
        fc.oneof(...ends),
      ).map((parts) => parts.filter((part) => part !== "").join(" ")),
    },
    {
      weight: 2,
      arbitrary: fc.constant(
        "-m conntrack --ctstate RELATED,ESTABLISHED -j ACCEPT",
      ),
    },
  ).map((text) => `-A ${chain} ${text}\n`);
}

const marking = fc.constantFrom(
  ...["-j MARK --set-mark 1", "-p tcp --dport 8080 -j MARK --set-mark 2"],
  ...["-j MARK --or-mark 2", "-j CONNMARK --set-mark 5"],
  ...["-j CONNMARK --save-mark", "-p udp -j CONNMARK --restore-mark"],
).map((text) => `-A PREROUTING ${text}\n`);

function script(family: Family): fc.Arbitrary<string> {
  const policy = fc.constantFrom("ACCEPT", "ACCEPT", "DROP");
  return fc.record({
    input: policy,
    output: fc.constantFrom("ACCEPT", "ACCEPT", "ACCEPT", "DROP"),
    sub: fc.array(rule("sub", family), { maxLength: 3 }),
    rules: fc.array(rule("INPUT", family), { minLength: 1, maxLength: 6 }),
    answers: fc.boolean(),
    mangle: fc.option(fc.array(marking, { minLength: 1, maxLength: 2 })),
  }).map(({ input, output, sub, rules, answers, mangle }) =>
    `${
      mangle === null
        ? ""
        : `*mangle\n:PREROUTING ACCEPT\n${mangle.join("")}COMMIT\n`
    }*filter\n:INPUT ${input}\n:OUTPUT ${output}\n:sub -\n${sub.join("")}${
      rules.join("")
    }${
      answers ? "-A OUTPUT -m conntrack --ctstate ESTABLISHED -j ACCEPT\n" : ""
    }COMMIT\n`
  );
}

/** Scripts with the tools that load them. */
export const iptables: fc.Arbitrary<
  readonly { readonly tool: string; readonly text: string }[]
> = fc.tuple(
  fc.constantFrom("nft", "nft", "legacy"),
  script("ip"),
  fc.option(script("ip6")),
).map(([kind, four, six]) => [
  { tool: `iptables-${kind}-restore`, text: four },
  ...(six === null ? [] : [{ tool: `ip6tables-${kind}-restore`, text: six }]),
]);
