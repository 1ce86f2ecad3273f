// Machines that are not at hand: their answers were recorded from real tools
// (see the facts of the package), and are played back.
import { assert, assertEquals, assertRejects } from "@std/assert";
import { checkAccess } from "./check_access.ts";
import { inspectFirewall } from "./inspect_firewall.ts";
import { planAccess } from "./plan_access.ts";
import type { Call, Ran, Runner } from "./runner.ts";

const said = (stdout: string, code = 0, stderr = ""): Ran => ({
  type: "ran",
  code,
  stdout,
  stderr,
});
const ABSENT: Ran = { type: "absent" };
const missing = (path: string) =>
  said("", 1, `cat: ${path}: No such file or directory\n`);

type Answers = (call: Call) => Ran | undefined;

/** A root shell on a machine with nft and nothing else, changed by `more`. */
function machine(more: Answers, calls: Call[] = []): Runner {
  return (call) => {
    calls.push(call);
    const answer = more(call);
    if (answer !== undefined) return Promise.resolve(answer);
    const { tool, args } = call;
    if (tool === "nft") return Promise.resolve(said('{"nftables":[]}'));
    if (tool !== "cat") return Promise.resolve(ABSENT);
    if (args[0] === "/proc/self/status") {
      return Promise.resolve(said("Name:\tcat\nCapEff:\t000001ffffffffff\n"));
    }
    return Promise.resolve(missing(args[0]!));
  };
}

const reads = (path: string, text: string): Answers => ({ tool, args }) =>
  tool === "cat" && args[0] === path ? said(text) : undefined;

const either = (...answers: Answers[]): Answers => (call) =>
  answers.map((answer) => answer(call)).find((ran) => ran !== undefined);

const nft = (...items: unknown[]): Answers => ({ tool }) =>
  tool === "nft" ? said(JSON.stringify({ nftables: items })) : undefined;

const base = (
  family: string,
  table: string,
  policy: string,
  name = "INPUT",
) => ({
  chain: {
    family,
    table,
    name,
    type: "filter",
    hook: "input",
    prio: 0,
    policy,
  },
});

Deno.test("recorded: nothing filters, and all of it may be seen", async () => {
  const run = machine(() => undefined);
  assertEquals(
    (await checkAccess({ port: 80 }, { run, system: "linux" })).status,
    "open",
  );
  const plan = await planAccess({ port: 80 }, { run, system: "linux" });
  assertEquals(plan.status, "nothing-to-do");
  const report = await inspectFirewall({ run, system: "linux" });
  assertEquals(report.rights, true);
  assertEquals(
    report.layers.map(({ layer, status }) => `${layer} ${status}`),
    [
      "nftables inactive",
      "iptables-nft inactive",
      "iptables-legacy inactive",
      "ufw absent",
      "firewalld absent",
    ],
  );
});

Deno.test("recorded: no nft, a failing nft, an empty answer are never open", async () => {
  for (
    const answer of [
      ABSENT,
      said("", 1, "netlink: Error: cache initialization failed\n"),
      said("", 0),
      { type: "forbidden", why: "may not" } as const,
    ]
  ) {
    const run = machine(({ tool }) => tool === "nft" ? answer : undefined);
    const outcome = await checkAccess({ port: 80 }, { run, system: "linux" });
    assertEquals(outcome.status, "unknown");
    const plan = await planAccess({ port: 80 }, { run, system: "linux" });
    assertEquals(plan.status, "refused");
  }
});

Deno.test("recorded: legacy tables count, and are not loaded by looking", async () => {
  const calls: Call[] = [];
  await checkAccess({ port: 80 }, {
    run: machine(() => undefined, calls),
    system: "linux",
  });
  assert(!calls.some(({ tool }) => tool.includes("legacy")));

  const names = "/proc/net/ip_tables_names";
  const save = (rules: string): Answers => ({ tool }) =>
    tool.endsWith("legacy-save")
      ? said(`*filter\n${rules}COMMIT\n`)
      : undefined;
  for (
    const [rules, status] of [
      [":INPUT ACCEPT [0:0]\n:mine - [0:0]\n", "open"],
      [":INPUT DROP [0:0]\n", "unknown"],
      [":INPUT ACCEPT [0:0]\n-A INPUT -j DROP\n", "unknown"],
    ] as const
  ) {
    const run = machine(either(reads(names, "filter\n"), save(rules)));
    const outcome = await checkAccess({ port: 80 }, { run, system: "linux" });
    assertEquals(outcome.status, status, rules);
  }
  // And where they may not be seen, a clean nft is no proof.
  const denied = machine(({ tool, args }) =>
    tool === "cat" && args[0] === names
      ? said("", 1, `cat: ${names}: Permission denied\n`)
      : undefined
  );
  const hidden = await checkAccess({ port: 80 }, {
    run: denied,
    system: "linux",
  });
  assertEquals(hidden.status, "unknown");
});

const UFW_ON = either(
  reads("/etc/ufw/ufw.conf", "# comment\nENABLED=yes\nLOGLEVEL=low\n"),
  reads("/etc/default/ufw", 'IPV6=yes\nDEFAULT_INPUT_POLICY="DROP"\n'),
);
const UFW_CHAINS = nft(
  base("ip", "filter", "drop"),
  { chain: { family: "ip", table: "filter", name: "ufw-before-input" } },
  base("ip6", "filter", "drop"),
  { chain: { family: "ip6", table: "filter", name: "ufw6-before-input" } },
);
const tuples = (...lines: string[]) =>
  reads(
    "/etc/ufw/user.rules",
    lines.map((l) => `### tuple ### ${l}\n`).join(""),
  );

Deno.test("recorded: ufw without a rule for the port is asked to allow it", async () => {
  const run = machine(either(
    UFW_ON,
    UFW_CHAINS,
    tuples(
      "allow tcp 22 0.0.0.0/0 any 0.0.0.0/0 in",
      "deny udp 8080 0.0.0.0/0 any 0.0.0.0/0 in",
      "allow tcp 8000:8079,9000 0.0.0.0/0 any 0.0.0.0/0 in_eth0",
      "allow tcp 8080 0.0.0.0/0 any 0.0.0.0/0 out",
    ),
  ));
  const plan = await planAccess(
    { port: 8080, source: "10.0.0.0/8", interface: "eth0" },
    { run, system: "linux", tag: "app:1" },
  );
  assert(plan.status === "ready", JSON.stringify(plan));
  assert(plan.before.status === "blocked-by" && plan.before.layer === "ufw");
  assertEquals(plan.after.status, "unknown");
  assertEquals(plan.steps.map(({ argv }) => argv.join(" ")), [
    "ufw allow in on eth0 proto tcp from 10.0.0.0/8 to any port 8080 comment app:1",
  ]);
});

Deno.test("recorded: a rule of ufw that may concern it is unknown, never open", async () => {
  for (
    const line of [
      "allow tcp 8080 0.0.0.0/0 any 0.0.0.0/0 in",
      "deny any 8080 0.0.0.0/0 any 10.0.0.0/8 in",
      "allow tcp 8000:9000 0.0.0.0/0 any 0.0.0.0/0 in_eth1",
      "limit tcp any 0.0.0.0/0 any 10.0.0.9 in",
    ]
  ) {
    const run = machine(either(UFW_ON, UFW_CHAINS, tuples(line)));
    const outcome = await checkAccess({ port: 8080 }, { run, system: "linux" });
    assertEquals(outcome.status, "unknown", line);
    const plan = await planAccess({ port: 8080 }, { run, system: "linux" });
    assertEquals(plan.status, "refused", line);
  }
});

Deno.test("recorded: without rights ufw still tells what to expect", async () => {
  const run = machine(either(
    UFW_ON,
    ({ tool }) =>
      tool === "nft"
        ? said("", 1, "Operation not permitted (you must be root)\n")
        : undefined,
  ));
  const outcome = await checkAccess({ port: 80 }, { run, system: "linux" });
  assert(
    outcome.status === "unknown" && outcome.why.includes("expect a block"),
  );
  assertEquals(outcome.command, "sudo ufw status verbose");
});

const FIREWALLD = either(
  ({ tool }) => tool === "firewall-cmd" ? said("running\n") : undefined,
  nft(
    base("inet", "firewalld", "accept", "filter_INPUT"),
    {
      rule: {
        family: "inet",
        table: "firewalld",
        chain: "filter_INPUT",
        handle: 9,
        expr: [{ reject: { type: "icmpx", expr: "admin-prohibited" } }],
      },
    },
    base("inet", "mine", "drop", "in"),
  ),
);

Deno.test("recorded: two layers drop, and each is asked in its own language", async () => {
  const run = machine(FIREWALLD);
  const options = { run, system: "linux", tag: "app:1" } as const;
  const any = await planAccess({ port: 8080 }, options);
  assert(any.status === "ready", JSON.stringify(any));
  assert(any.before.status === "blocked-by");
  assertEquals(any.before.layer, "firewalld");
  assertEquals(
    any.steps.map(({ layer, argv }) => `${layer}: ${argv.join(" ")}`),
    [
      "nftables: nft -j -e -a -f -",
      "firewalld: firewall-cmd --add-port=8080/tcp",
    ],
  );
  const narrow = await planAccess({
    port: 53,
    protocol: "udp",
    source: "fd00::/8",
  }, options);
  assert(narrow.status === "ready");
  assertEquals(
    narrow.steps.at(-1)?.argv.at(-1),
    '--add-rich-rule=rule family="ipv6" source address="fd00::/8" port port="53" protocol="udp" accept',
  );
});

Deno.test("recorded: no plan has a word that could lock anybody out", async () => {
  const machines = [
    machine(FIREWALLD),
    machine(either(UFW_ON, UFW_CHAINS, tuples())),
  ];
  for (const run of machines) {
    const plan = await planAccess({ port: 8080 }, { run, system: "linux" });
    assert(plan.status === "ready");
    const text = plan.steps.map(({ argv, stdin }) => argv.join(" ") + stdin)
      .join();
    assert(
      !/flush|delete|reload|reset|disable|--remove|replace|-F\b|-X\b|-D\b/.test(
        text,
      ),
      text,
    );
  }
});

Deno.test("other systems are unknown, with the reason, and nothing is run", async () => {
  for (const system of ["openbsd", "solaris", "toString"]) {
    const run: Runner = () => Promise.reject(new Error("It was run"));
    const options = { run, system };
    const outcome = await checkAccess({ port: 80 }, options);
    assert(outcome.status === "unknown" && outcome.why.includes(system));
    assertEquals((await planAccess({ port: 80 }, options)).status, "refused");
    assertEquals((await inspectFirewall(options)).layers[0]?.status, "unknown");
  }
});

Deno.test("an aborted signal runs nothing; a bad tag is refused", async () => {
  const run: Runner = () => Promise.reject(new Error("It was run"));
  const options = { run, system: "linux", signal: AbortSignal.abort("stop") };
  for (
    const call of [
      () => checkAccess({ port: 80 }, options),
      () => planAccess({ port: 80 }, options),
      () => inspectFirewall(options),
    ]
  ) {
    assertEquals(await call().catch((reason) => reason), "stop");
  }
  for (const tag of ["", "-x", 'a"; add table', "a\nb", "x".repeat(101), "ü"]) {
    await assertRejects(
      () => planAccess({ port: 80 }, { run, system: "linux", tag }),
      TypeError,
      "tag",
    );
  }
});
