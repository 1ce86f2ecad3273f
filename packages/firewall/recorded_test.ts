// Machines that are not at hand: their answers were recorded from real tools
// (see the facts of the package), and are played back.
import {
  assert,
  assertEquals,
  assertRejects,
  assertStringIncludes,
} from "@std/assert";
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
      [":INPUT DROP [0:0]\n", "blocked-by"],
      [":INPUT ACCEPT [0:0]\n-A INPUT -j DROP\n", "blocked-by"],
      [":INPUT DROP [0:0]\n-A INPUT -m magic -j ACCEPT\n", "unknown"],
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

const UFW_ON: Answers = ({ tool, args }) =>
  tool === "cat" && args[0] === "/etc/ufw/ufw.conf"
    ? said(
      '# comment\nENABLED=yes\nLOGLEVEL=low\nIPV6=yes\nDEFAULT_INPUT_POLICY="DROP"\n',
    )
    : undefined;
const DENIED: Answers = ({ tool }) =>
  tool === "nft"
    ? said("", 1, "Operation not permitted (you must be root)\n")
    : undefined;
const bus = (answers: Record<string, unknown>): Answers => ({ tool, args }) => {
  if (tool !== "busctl") return undefined;
  const method = args.find((arg) => arg in answers);
  return method === undefined
    ? said("", 1, "Call failed: ACCESS_DENIED\n")
    : said(JSON.stringify({ data: [answers[method]] }));
};

Deno.test("recorded: without rights ufw still tells what to expect", async () => {
  const run = machine(either(UFW_ON, DENIED));
  const outcome = await checkAccess({ port: 80 }, { run, system: "linux" });
  assert(
    outcome.status === "unknown" && outcome.why.includes("expect a block"),
  );
  assertEquals(outcome.command, "sudo ufw status verbose");
});

Deno.test("recorded: without rights firewalld still tells what to expect", async () => {
  for (const [listed, words] of [[true, "to be open"], [false, "a block"]]) {
    const answers = { getDefaultZone: "home", queryPort: listed };
    const run = machine(either(DENIED, bus(answers)));
    const outcome = await checkAccess({ port: 80 }, { run, system: "linux" });
    assert(outcome.status === "unknown", outcome.status);
    assertStringIncludes(outcome.why, `expect ${words}`.replace("to", "it to"));
    assertEquals(
      outcome.command,
      "sudo firewall-cmd --list-all --zone=home",
    );
  }
});

const FIREWALLD = either(
  bus({ getDefaultZone: "home" }),
  nft(
    base("inet", "firewalld", "accept", "filter_INPUT"),
    {
      rule: {
        ...{ family: "inet", table: "firewalld", chain: "filter_INPUT" },
        handle: 8,
        expr: [{ goto: { target: "filter_IN_home" } }],
      },
    },
    {
      rule: {
        ...{ family: "inet", table: "firewalld", chain: "filter_IN_home" },
        handle: 7,
        expr: [{ jump: { target: "filter_IN_home_post" } }],
      },
    },
    {
      rule: {
        family: "inet",
        table: "firewalld",
        chain: "filter_IN_home",
        handle: 9,
        expr: [{ reject: { type: "icmpx", expr: "admin-prohibited" } }],
      },
    },
    { chain: { family: "inet", table: "firewalld", name: "filter_IN_home" } },
    {
      chain: {
        ...{ family: "inet", table: "firewalld" },
        name: "filter_IN_home_post",
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
    any.steps.map(({ layer, argv }) =>
      `${layer}: ${argv[0]} ${argv.slice(7).join(" ")}`.replace(/"\d+"/, "P")
    ),
    [
      "nftables: nft ",
      'firewalld: busctl org.fedoraproject.FirewallD1.zone addRichRule ssi home rule priority=P port port="8080" protocol="tcp" accept 0',
    ],
  );
  const narrow = await planAccess({
    port: 53,
    protocol: "udp",
    source: "fd00::/8",
  }, options);
  assert(narrow.status === "ready");
  assertEquals(
    narrow.steps.at(-1)?.argv.at(-2)?.replace(/"\d{4,5}"/, "P"),
    'rule priority=P family="ipv6" source address="fd00::/8" port port="53" protocol="udp" accept',
  );
});

Deno.test("recorded: no plan has a word that could lock anybody out", async () => {
  for (const run of [machine(FIREWALLD)]) {
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
