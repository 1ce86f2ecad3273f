// FreeBSD on recorded answers (see testdata/README.md): it was not run on the
// real system.
import { assert, assertEquals, assertMatch } from "@std/assert";
import { checkAccess } from "./check_access.ts";
import { readFreebsd } from "./_freebsd_facts.ts";
import { judgeFreebsd, planFreebsd } from "./_freebsd_judge.ts";
import { closeChanges, openChanges, type Rights } from "./_other_apply.ts";
import {
  closeSequence,
  openSequence,
  type Sequence,
} from "./_other_sequence.ts";
import { checkRequest } from "./_request.ts";
import { inspectFirewall } from "./inspect_firewall.ts";
import { planAccess } from "./plan_access.ts";
import type { AccessRequest } from "./request.ts";
import type { Call, Ran } from "./runner.ts";
import {
  forbidden,
  machineOf,
  recording,
  said,
  undoing,
} from "./testdata/recorded.ts";

type Answers = Record<string, Ran | string>;

const NEITHER: Answers = {
  "kldstat -q -m pf": said("", 1),
  "kldstat -q -m ipfw": said("", 1),
  "kldstat -q -m ipfilter": said("", 1),
  "id -u": "0\n",
};
const IPFW: Answers = {
  ...NEITHER,
  "kldstat -q -m ipfw": said(""),
  "sysctl -n net.inet.ip.fw.enable": "1\n",
  "sysctl -n net.inet6.ip6.fw.enable": "1\n",
  "ipfw -S list": recording("freebsd/ipfw_list.txt"),
  "ipfw table all list": recording("freebsd/ipfw_tables.txt"),
  "ipfw set show": "disable 7 enable 0 1 2 3 4 5 6 8 9 10 30 31\n",
};
const PF: Answers = {
  ...NEITHER,
  "kldstat -q -m pf": said(""),
  "pfctl -s info":
    "Status: Enabled for 0 days 00:05:03           Debug: Urgent\n\nState Table\n",
  "pfctl -s rules": recording("freebsd/pf_rules.txt"),
  "pfctl -s nat": 'nat-anchor "x/*" all\n',
  "pfctl -v -s Anchors": "  blacklistd\n  blacklistd/22\n  holdfast\n",
  "pfctl -v -s Interfaces": "all\nem0\nlo0 (skip)\n",
  "pfctl -a blacklistd -s rules": "",
  "pfctl -a blacklistd -s nat": "",
  "pfctl -a blacklistd/22 -s rules":
    "block drop in quick proto tcp from <port22:1> to any port = ssh\n",
  "pfctl -a blacklistd/22 -s nat": "",
  "pfctl -a holdfast -s rules": "",
  "pfctl -a holdfast -s nat": "",
  "pfctl -t bruteforce -T show": "   198.51.100.0/24\n",
  "pfctl -a blacklistd/22 -t port22 -T show": "   203.0.113.7\n",
  "cat /etc/services":
    "ssh 22/tcp\nhttp 80/tcp www # web\nhttp-alt 8080/tcp\nntp 123/udp\n",
};
const DENIED = said("", 1, "pfctl: /dev/pf: Permission denied\n");

const options = (answers: Answers, calls: Call[] = []) => ({
  run: machineOf(answers, calls),
  system: "freebsd",
  tag: "app:1",
});
const check = (answers: Answers, request: AccessRequest) =>
  checkAccess(request, options(answers));

Deno.test("freebsd: nothing is loaded", async () => {
  assertEquals((await check(NEITHER, { port: 80 })).status, "open");
  const report = await inspectFirewall(options(NEITHER));
  assertEquals(report.rights, true);
  assertEquals(
    report.layers.map(({ layer, status }) => `${layer} ${status}`),
    ["pf inactive", "ipfw inactive"],
  );
});

Deno.test("freebsd: ipfw by its first rule that matches", async () => {
  const on = { interface: "em0" };
  const rows: readonly (readonly [AccessRequest, string, number | RegExp])[] = [
    [{ port: 22, source: "10.0.0.1", ...on }, "open", /800/],
    [{ port: 22, source: "192.0.2.9", ...on }, "blocked-by", 400],
    [{ port: 22, source: "2001:db8:bad::1", ...on }, "blocked-by", 400],
    [{ port: 22, ...on }, "unknown", /400/],
    [{ port: 113, source: "10.0.0.1", ...on }, "blocked-by", 900],
    // Its set is off.
    [{ port: 8080, source: "10.0.0.1", ...on }, "blocked-by", 1100],
    // By em1 the rules up to 1000 are passed over.
    [
      { port: 22, source: "10.0.0.1", interface: "em1" },
      "blocked-by",
      1100,
    ],
    [{ port: 22, source: "10.0.0.1" }, "unknown", /800|1100/],
    [{ port: 3005, source: "10.9.0.0/16", ...on }, "open", /1000/],
    [{ port: 3005, source: "11.9.0.0/16", ...on }, "blocked-by", 1100],
    [
      { port: 22, protocol: "udp", source: "10.0.0.1", ...on },
      "blocked-by",
      1100,
    ],
  ];
  for (const [request, status, by] of rows) {
    const outcome = await check(IPFW, request);
    assertEquals(outcome.status, status, JSON.stringify([request, outcome]));
    if (typeof by === "number") {
      assert(outcome.status === "blocked-by");
      assertEquals(outcome.handle, by);
      assertEquals(outcome.layer, "ipfw");
    } else assertMatch(outcome.why, by);
  }
});

Deno.test("freebsd: pf by its last rule that matches", async () => {
  const on = { interface: "em0" };
  const rows: readonly (readonly [AccessRequest, string, RegExp])[] = [
    [{ port: 80, source: "10.1.0.0/16", ...on }, "open", /label "web"/],
    [
      { port: 80, source: "11.1.0.0/16", ...on },
      "blocked-by",
      /block drop in log/,
    ],
    [{ port: 80, source: "198.51.100.3", ...on }, "blocked-by", /bruteforce/],
    [{ port: 8005, family: "ipv6", ...on }, "open", /8000:8010/],
    [{ port: 8011, family: "ipv6", ...on }, "blocked-by", /block drop in log/],
    // `><` is without its ends.
    [{ port: 5353, protocol: "udp", ...on }, "blocked-by", /block drop in log/],
    [
      { port: 5354, protocol: "udp", source: "10.0.0.1", ...on },
      "open",
      /5353 ></,
    ],
    // Only the kernel knows the address of em0, and counts its states.
    [{ port: 22, source: "10.0.0.1", ...on }, "unknown", /ssh/],
    [{ port: 22, source: "203.0.113.7", ...on }, "blocked-by", /port22/],
  ];
  for (const [request, status, why] of rows) {
    const outcome = await check(PF, request);
    assertEquals(outcome.status, status, JSON.stringify([request, outcome]));
    assertMatch(outcome.why, why);
  }
});

Deno.test("freebsd: what cannot be read is unknown", async () => {
  const request = { port: 8005, family: "ipv6", interface: "em0" } as const;
  assertEquals((await check(PF, request)).status, "open");
  const without = (key: string, answer?: Ran) => {
    const left = { ...PF };
    delete left[key];
    return answer === undefined ? left : { ...left, [key]: answer };
  };
  for (
    const answers of [
      without("pfctl -s info", DENIED),
      without("pfctl -s info"),
      without("pfctl -s rules", DENIED),
      without("pfctl -a blacklistd/22 -s rules", DENIED),
      without("pfctl -v -s Anchors", DENIED),
      without("kldstat -q -m pf"),
      without("kldstat -q -m ipfw"),
      without("kldstat -q -m ipfilter"),
      { ...PF, "kldstat -q -m ipfilter": said("") },
      {
        ...PF,
        "pfctl -s nat":
          "rdr pass on em0 inet6 proto tcp from any to any port = 8005 -> ::1 port 80\n",
      },
      { ...PF, "pfctl -s rules": `${PF["pfctl -s rules"]}what is this\n` },
    ]
  ) {
    const outcome = await check(answers, request);
    assertEquals(outcome.status, "unknown", JSON.stringify(outcome));
    assert(outcome.why !== "");
    const plan = await planAccess(request, options(answers));
    assertEquals(plan.status, "refused");
  }
  const denied = {
    ...IPFW,
    "ipfw -S list": said("", 71, "ipfw: socket: Operation not permitted\n"),
  };
  const outcome = await check(denied, { port: 22 });
  assert(outcome.status === "unknown");
  assertEquals(outcome.command, "sudo ipfw -S list");
  // A table that cannot be read leaves open whether it has the source.
  const tables = { ...IPFW, "ipfw table all list": said("", 1) };
  const banned = { port: 22, source: "192.0.2.9", interface: "em0" };
  assertEquals((await check(tables, banned)).status, "unknown");
});

Deno.test("freebsd: a redirect elsewhere and a skipped interface", async () => {
  const answers = {
    ...PF,
    "pfctl -v -s Interfaces": "all\nem0 (skip)\nlo0 (skip)\n",
  };
  const closed = { port: 4000, source: "10.0.0.1" };
  assertEquals(
    (await check(answers, { ...closed, interface: "em0" })).status,
    "open",
  );
  assertEquals((await check(answers, closed)).status, "unknown");
  assertEquals((await check(PF, closed)).status, "blocked-by");
});

Deno.test("freebsd: a rule of ipfw right before the one that denies", async () => {
  const request = { port: 4000, source: "10.0.0.0/8", interface: "em0" };
  const plan = await planAccess(request, options(IPFW));
  assert(plan.status === "ready", JSON.stringify(plan));
  assertMatch(
    plan.steps[0]!.argv.join(" "),
    /^\/sbin\/ipfw -q add 1099 set 30 allow tcp from 10\.0\.0\.0\/8 to me 4000 in recv em0 setup keep-state :hf-[0-9a-f]{16} \/\/ app:1$/,
  );
  assertEquals(undoing(plan.steps).map(({ argv }) => argv.join(" ")), [
    "/sbin/ipfw -q delete set 30",
  ]);
  // The ban above stays, and is told of.
  const any = await planAccess({ port: 4000, interface: "em0" }, options(IPFW));
  assert(any.status === "ready", JSON.stringify(any));
  assertMatch(
    any.after.why,
    /except for what is still blocked by .*rule 400 of ipfw/,
  );
  // What is meant for this peer, or this port, is not overruled.
  for (
    const request of [
      { port: 4000, source: "192.0.2.1", interface: "em0" },
      { port: 113, source: "10.0.0.1", interface: "em0" },
    ]
  ) {
    const meant = await planAccess(request, options(IPFW));
    assert(meant.status === "refused");
    assertMatch(meant.why, /is not overruled/);
  }
  const banned = { port: 80, source: "198.51.100.3", interface: "em0" };
  const meant = await planAccess(banned, options(PF));
  assert(meant.status === "refused");
  assertMatch(meant.why, /bruteforce.*is not overruled/);
});

Deno.test("freebsd: no number or no set is free", async () => {
  const list = (lines: string) => ({ ...IPFW, "ipfw -S list": lines });
  const request = { port: 4000, source: "10.0.0.1", interface: "em0" };
  const packed = list(
    "00001 set 0 deny ip from any to any\n65535 set 31 deny ip from any to any\n",
  );
  assertEquals((await planAccess(request, options(packed))).status, "refused");
  const twice = list(
    "00010 set 0 count ip from any to any\n00010 set 0 deny ip from any to any\n65535 set 31 deny ip from any to any\n",
  );
  assertEquals((await planAccess(request, options(twice))).status, "refused");
  const full = list(
    Array.from(
      { length: 30 },
      (_, n) => `00010 set ${n + 1} count ip from any to any\n`,
    ).join("") +
      "65535 set 31 deny ip from any to any\n",
  );
  assertEquals((await planAccess(request, options(full))).status, "refused");
});

Deno.test("freebsd: a rule of pf in an anchor of ours", async () => {
  const request = { port: 8080, source: "10.0.0.0/8", interface: "em0" };
  // The anchor stands before `block drop in log all`, so it takes a quick rule,
  // and the bans behind it would be overruled: those of 10/8 there are none.
  const plan = await planAccess(request, options(PF));
  assert(plan.status === "ready", JSON.stringify(plan));
  const [step] = plan.steps;
  assertMatch(
    step!.argv.join(" "),
    /^\/sbin\/pfctl -a holdfast\/hf-[0-9a-f]{16} -f -$/,
  );
  assertEquals(
    step!.stdin,
    'pass in quick on em0 inet proto tcp from 10.0.0.0/8 to any port = 8080 flags S/SA keep state label "app:1"\n',
  );
  assertEquals(undoing(plan.steps)[0]!.argv, step!.argv);
  assertEquals(undoing(plan.steps)[0]!.stdin, "\n");
  // From anywhere it would overrule the ban that stands behind.
  const any = await planAccess(
    { port: 8080, interface: "em0" },
    options(PF),
  );
  assert(any.status === "refused");
  assertMatch(any.why, /overrule.*bruteforce/);
  // Behind the block an ordinary rule is enough, and the bans hold.
  const behind = {
    ...PF,
    "pfctl -s rules": `block drop in log all
block return in quick inet from <bruteforce> to any
anchor "holdfast/*" all
pass out all flags S/SA keep state
`,
  };
  const soft = await planAccess(
    { port: 8080, interface: "em0" },
    options(behind),
  );
  assert(soft.status === "ready", JSON.stringify(soft));
  assertMatch(soft.steps[0]!.stdin!, /^pass in on em0 proto tcp /);
  assertMatch(soft.after.why, /except for .*bruteforce/);
  // Without an anchor for programs the person is asked to add one.
  const none = { ...PF, "pfctl -s rules": "block drop in all\n" };
  const refused = await planAccess(request, options(none));
  assert(refused.status === "refused");
  assertMatch(refused.why, /add the line anchor "holdfast\/\*" to pf.conf/);
});

Deno.test("freebsd: both filters block, and each gets one rule", async () => {
  const both = { ...PF, ...IPFW, "kldstat -q -m pf": said("") };
  const request = { port: 8080, source: "10.0.0.0/8", interface: "em0" };
  const plan = await planAccess(request, options(both));
  assert(plan.status === "ready", JSON.stringify(plan));
  assertEquals(plan.steps.map(({ layer }) => layer), ["pf", "ipfw"]);
  assertEquals(undoing(plan.steps).map(({ layer }) => layer), ["ipfw", "pf"]);
  for (const { argv, stdin } of [...plan.steps, ...undoing(plan.steps)]) {
    assert(!forbidden(`${argv.join(" ")} ${stdin}`), argv.join(" "));
  }
});

Deno.test("freebsd: addresses of an interface, and answers by another way", async () => {
  const rules = (text: string): Answers => ({ ...PF, "pfctl -s rules": text });
  const answers = rules(
    "block drop in all\npass in quick on em0 reply-to (em0 192.0.2.1) inet proto tcp from any to (em0) port = http flags S/SA keep state\n",
  );
  const request = { port: 80, family: "ipv4" } as const;
  const by = (name: string | undefined) =>
    check(answers, { ...request, ...(name && { interface: name }) });
  assertEquals((await by("em0")).status, "open");
  assertEquals((await by("em1")).status, "blocked-by");
  assertEquals((await by(undefined)).status, "unknown");
  // Sent elsewhere is not let in here.
  const away = rules(
    "pass in quick on em0 route-to (em1 192.0.2.1) inet proto tcp all flags S/SA keep state\n",
  );
  const sent = await check(away, { ...request, interface: "em0" });
  assertEquals(sent.status, "unknown");
});

Deno.test("freebsd: one of our addresses, in a verdict and in a plan", async () => {
  const asked = {
    ...checkRequest({ port: 80, family: "ipv4", interface: "em0" }),
    address: "192.0.2.5",
  };
  const elsewhere = { ...asked, address: "192.0.2.6" };
  const pf = await readFreebsd(options({
    ...PF,
    "pfctl -s rules":
      'block drop in all\npass in inet proto tcp from any to 192.0.2.5 port = http flags S/SA keep state\nanchor "holdfast/*" all\n',
  }));
  assertEquals(judgeFreebsd(pf, asked).status, "open");
  assertEquals(judgeFreebsd(pf, elsewhere).status, "blocked-by");
  const { plan } = planFreebsd(pf, elsewhere, "app:1");
  assert(plan.status === "ready", JSON.stringify(plan));
  assertEquals(
    plan.steps[0]!.stdin,
    'pass in on em0 inet proto tcp from any to 192.0.2.6 port = 80 flags S/SA keep state label "app:1"\n',
  );
  const ipfw = await readFreebsd(options({
    ...IPFW,
    "ipfw -S list":
      "00100 set 0 allow tcp from any to 192.0.2.5 80 in setup keep-state :default\n00200 set 0 allow tcp from any to not table(bans) 81 in setup keep-state :default\n65535 set 31 deny ip from any to any\n",
  }));
  assertEquals(judgeFreebsd(ipfw, asked).status, "open");
  assertEquals(judgeFreebsd(ipfw, elsewhere).status, "blocked-by");
  const banned = judgeFreebsd(ipfw, { ...asked, port: 81 });
  assertEquals(banned.status, "blocked-by");
  const narrow = planFreebsd(ipfw, elsewhere, "app:1").plan;
  assert(narrow.status === "ready");
  assertMatch(
    narrow.steps[0]!.argv.join(" "),
    / to 192\.0\.2\.6 80 in recv em0 /,
  );
});

Deno.test("freebsd: past its limits it is unknown", async () => {
  const request = { port: 8005, source: "10.0.0.1", interface: "em0" };
  const last = "pass in quick all flags S/SA keep state\n";
  const rules = (text: string): Answers => ({ ...PF, "pfctl -s rules": text });
  assertEquals((await check(rules(last), request)).status, "open");
  const many = `${"block drop in quick on em1 all\n".repeat(100_001)}${last}`;
  assertEquals((await check(rules(many), request)).status, "unknown");
  const deep = `${"anchor all {\n".repeat(70)}${last}${"}\n".repeat(70)}`;
  assertEquals((await check(rules(deep), request)).status, "unknown");
  const names = Array.from(
    { length: 300 },
    (_, n) => `x/${String(n).padStart(3, "0")}`,
  );
  const wide: Answers = {
    ...rules(`anchor "x/*" all\n${last}`),
    "pfctl -v -s Anchors": names.join("\n"),
  };
  for (const name of names) {
    wide[`pfctl -a ${name} -s rules`] = "";
    wide[`pfctl -a ${name} -s nat`] = "";
  }
  assertEquals((await check(wide, request)).status, "unknown");
});

Deno.test("freebsd: all changes are made, or none", async () => {
  const both = { ...PF, ...IPFW, "kldstat -q -m pf": said("") };
  const facts = await readFreebsd(options(both));
  const asked = checkRequest({
    port: 8080,
    source: "10.0.0.0/8",
    interface: "em0",
  });
  const { changes } = planFreebsd(facts, asked, "app:1");
  const anchors = new Map<string, string>();
  const rules = new Set(recording("freebsd/ipfw_list.txt").trim().split("\n"));
  const before = [...rules];
  const calls: string[] = [];
  const machine = (obeys: boolean): Rights => ({
    read: ({ tool, args }) =>
      Promise.resolve(
        tool === "ipfw"
          ? said([...rules].join("\n"))
          : args.includes("Anchors")
          ? said([...anchors.keys()].join("\n"))
          : said(anchors.get(args[1]!) ?? "", anchors.has(args[1]!) ? 0 : 1),
      ),
    elevated: ({ argv, stdin }) => {
      calls.push(argv.slice(0, 3).join(" "));
      if (argv[0] === "/sbin/pfctl") {
        if (stdin!.trim() === "") anchors.delete(argv[2]!);
        else anchors.set(argv[2]!, stdin!);
      } else if (obeys) {
        const line = `0${argv.slice(3).join(" ")}`;
        if (argv[2] === "add") rules.add(line);
        else {for (const rule of rules) {
            if (/ set 30 /.test(rule)) rules.delete(rule);
          }}
      }
      return Promise.resolve(said(""));
    },
  });
  const opened = await openChanges(changes, machine(true));
  assertEquals([opened.result.type, opened.made.length], ["done", 2]);
  const closed = await closeChanges(opened.made, machine(true));
  assertEquals([closed.result.type, closed.made.length], ["done", 0]);
  assertEquals([anchors.size, [...rules]], [0, before]);
  // ipfw does nothing and says 0: the rule of pf does not stay.
  const half = await openChanges(changes, machine(false));
  assertEquals([half.result.type, half.made.length], ["failed", 0]);
  assertEquals([anchors.size, [...rules]], [0, before]);
});

/** Plays a sequence on a machine that the commands change. */
function drive(
  sequence: Sequence,
  read: (call: Call) => Ran,
  elevated: (argv: readonly string[], stdin?: string) => Ran,
) {
  let prompts = 0;
  let next = sequence.next();
  while (!next.done) {
    const ask = next.value;
    if (ask.type === "elevated") prompts++;
    next = sequence.next(
      ask.type === "read"
        ? read(ask.call)
        : elevated(ask.step.argv, ask.step.stdin),
    );
  }
  return { ...next.value, prompts };
}

Deno.test("freebsd sequence: ipfw is read back, and left alone when it changed", async () => {
  const facts = await readFreebsd(options(IPFW));
  const asked = checkRequest({ port: 4000, source: "10.0.0.0/8" });
  const { changes: [change] } = planFreebsd(facts, {
    ...asked,
    interface: "em0",
  }, "app:1");
  const lines = new Set(recording("freebsd/ipfw_list.txt").trim().split("\n"));
  const before = [...lines].join("\n");
  // As the kernel prints it: another order, another way to say the port.
  const flow = change!.open.argv.find((word) => word.startsWith(":hf-"));
  const kept =
    `01099 set 30 allow tcp from 10.0.0.0/8 to me dst-port 4000 setup in recv em0 keep-state ${flow} // app:1`;
  const read = () => said([...lines].join("\n"));
  const run = (argv: readonly string[]) => {
    if (argv[2] === "add") lines.add(kept);
    else lines.delete(kept);
    return said("");
  };
  const open = () => drive(openSequence(change!), read, run);
  const close = () => drive(closeSequence(change!), read, run);
  assertEquals(open(), { type: "done", prompts: 1 });
  assertEquals(open(), { type: "already", prompts: 0 });
  assertEquals(close(), { type: "done", prompts: 1 });
  assertEquals([...lines].join("\n"), before);
  // Exit code 0 and no rule.
  assertEquals(
    drive(openSequence(change!), read, () => said("")).type,
    "failed",
  );
  // Somebody put a rule into our set.
  lines.add(kept).add("01200 set 30 count ip from any to any");
  assertEquals(close().type, "left-alone");
  lines.clear();
  assertEquals(close().type, "left-alone");
});

Deno.test("freebsd sequence: pf is read back, and left alone when it changed", async () => {
  const facts = await readFreebsd(options(PF));
  const asked = checkRequest({ port: 8080, source: "10.0.0.0/8" });
  const { changes: [change] } = planFreebsd(facts, {
    ...asked,
    interface: "em0",
  }, "app:1");
  const anchors = new Map([["holdfast", ""], ["blacklistd", "x\n"]]);
  const read = ({ args }: Call) =>
    args.includes("Anchors")
      ? said([...anchors.keys()].map((name) => `  ${name}\n`).join(""))
      : said(anchors.get(args[1]!) ?? "", anchors.has(args[1]!) ? 0 : 1);
  const run = (argv: readonly string[], stdin = "") => {
    const [, , path] = argv;
    if (stdin.trim() === "") anchors.delete(path!);
    // pf prints the name of the port.
    else anchors.set(path!, stdin.replace("8080", "http-alt"));
    return said("");
  };
  const open = () => drive(openSequence(change!), read, run);
  const close = () => drive(closeSequence(change!), read, run);
  assertEquals(open(), { type: "done", prompts: 1 });
  assertEquals(open(), { type: "already", prompts: 0 });
  const path = [...anchors.keys()].at(-1)!;
  const ours = anchors.get(path)!;
  assertEquals(close(), { type: "done", prompts: 1 });
  assertEquals([...anchors.keys()], ["holdfast", "blacklistd"]);
  for (
    const text of [`${ours}pass all\n`, ours.replace("10.0", "11.0"), "odd\n"]
  ) {
    anchors.set(path, text);
    assertEquals(close().type, "left-alone", text);
    assertEquals(open().type, "left-alone", text);
  }
});
