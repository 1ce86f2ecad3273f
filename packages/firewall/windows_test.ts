// The firewall of Windows on recorded answers (see testdata/README.md): it was
// not run on the real system.
import { assert, assertEquals, assertMatch, assertRejects } from "@std/assert";
import { checkAccess } from "./check_access.ts";
import { inspectFirewall } from "./inspect_firewall.ts";
import { planAccess } from "./plan_access.ts";
import type { Plan, PlanOptions } from "./plan.ts";
import type { AccessRequest } from "./request.ts";
import type { Call, Ran } from "./runner.ts";
import {
  forbidden,
  machineOf,
  recording,
  said,
  undoing,
} from "./testdata/recorded.ts";

const POLICY_KEY =
  "HKLM\\SYSTEM\\CurrentControlSet\\Services\\SharedAccess\\Parameters\\FirewallPolicy";
const DENIED = said("", 1, "FEHLER: Der Registrierungsschlüssel fehlt.\r\n");
const CONNECTIONS = [
  "powershell -NoLogo -NoProfile -NonInteractive -Command",
  "Get-NetConnectionProfile | Select-Object InterfaceAlias,InterfaceIndex,NetworkCategory | ConvertTo-Json -Compress",
].join(" ");
const connected = (...networks: (readonly [string, number])[]) => {
  const list = networks.map(([InterfaceAlias, NetworkCategory]) => ({
    InterfaceAlias,
    InterfaceIndex: 7,
    NetworkCategory,
  }));
  return JSON.stringify(list.length === 1 ? list[0] : list);
};
const crlf = (text: string) => text.replaceAll("\n", "\r\n");

const PRIVATE: Record<string, Ran | string> = {
  [`reg query ${POLICY_KEY} /s`]: crlf(
    recording("windows/firewall_policy.txt"),
  ),
  "reg query HKLM\\SOFTWARE\\Policies\\Microsoft": crlf(
    recording("windows/policies_none.txt"),
  ),
  "reg query HKLM\\SYSTEM\\CurrentControlSet\\Services\\MpsSvc /v Start":
    "\r\nHKEY_LOCAL_MACHINE\\SYSTEM\\CurrentControlSet\\Services\\MpsSvc\r\n    Start    REG_DWORD    0x2\r\n\r\n",
  "reg query HKLM\\SOFTWARE\\Microsoft\\PowerShell\\3\\PowerShellEngine /v PowerShellVersion":
    "\r\nHKEY_LOCAL_MACHINE\\SOFTWARE\\Microsoft\\PowerShell\\3\\PowerShellEngine\r\n    PowerShellVersion    REG_SZ    5.1.19041.1\r\n\r\n",
  "whoami /groups /fo csv /nh":
    '"Mandatory Label\\Medium Mandatory Level","Label","S-1-16-8192",""\r\n',
  [CONNECTIONS]: connected(["Wi-Fi", 1]),
};
const PUBLIC = { ...PRIVATE, [CONNECTIONS]: connected(["Wi-Fi", 0]) };
const MANAGED = {
  ...PRIVATE,
  "reg query HKLM\\SOFTWARE\\Policies\\Microsoft": recording(
    "windows/policies_some.txt",
  ),
  "reg query HKLM\\SOFTWARE\\Policies\\Microsoft\\WindowsFirewall /s":
    recording("windows/policy_no_merge.txt"),
};

type Answers = Record<string, Ran | string>;
const check = (
  answers: Answers,
  request: AccessRequest,
  calls: Call[] = [],
) =>
  checkAccess(request, { run: machineOf(answers, calls), system: "windows" });
const plan = (
  answers: Answers,
  request: AccessRequest,
  options: PlanOptions = {},
): Promise<Plan> =>
  planAccess(request, {
    ...options,
    run: machineOf(answers),
    system: "windows",
    tag: "app:1",
  });

const SERVER = "C:\\Program Files\\Server\\server.exe";
const NODE = "C:\\Users\\me\\node.exe";
const OTHER = "C:\\x\\other.exe";

Deno.test("windows: what the rules of a real machine say", async () => {
  const rows: readonly (readonly [AccessRequest, string, RegExp])[] = [
    // Rules for single programs, the kernel, services and packages.
    [{ port: 4000, program: OTHER }, "blocked-by", /no rule allows it/],
    [{ port: 4000 }, "blocked-by", /no rule allows it/],
    [{ port: 8080 }, "unknown", /"Server für alle".*name the program/],
    [{ port: 7000, program: OTHER }, "open", /"Open to all"/],
    [{ port: 7000, protocol: "udp", program: OTHER }, "blocked-by", /default/],
    [{ port: 8443, program: OTHER }, "blocked-by", /default/],
    [{ port: 445, program: OTHER }, "blocked-by", /default/],
    [
      { port: 3389, program: "c:/windows/System32/svchost.exe" },
      "unknown",
      /Svc=termservice/,
    ],
    // What it cannot judge is never said to match.
    [{ port: 7001, program: OTHER }, "unknown", /Security=Authenticate/],
    [{ port: 7002, program: OTHER }, "blocked-by", /default/],
    // Scopes: a range, a mask, and what only Windows knows.
    [
      { port: 9005, program: SERVER, source: "10.1.2.0/24" },
      "open",
      /Server für alle/,
    ],
    [{ port: 8080, program: SERVER, source: "192.0.2.15" }, "open", /Server/],
    [
      { port: 8080, program: SERVER, source: "192.0.2.21" },
      "unknown",
      /for some sources|it is for/,
    ],
    [
      { port: 9011, program: SERVER, source: "10.1.2.3" },
      "blocked-by",
      /default/,
    ],
  ];
  for (const [request, status, why] of rows) {
    const outcome = await check(PRIVATE, request);
    assertEquals(outcome.status, status, JSON.stringify([request, outcome]));
    assertMatch(outcome.why, why);
  }
});

Deno.test("windows: a block beats an allow, and the network decides", async () => {
  // Dismissed prompts left two of these, on public networks alone.
  const request = { port: 7000, program: NODE };
  const there = await check(PUBLIC, request);
  assert(there.status === "blocked-by", JSON.stringify(there));
  assertEquals(
    there.rule,
    'rule "node.exe" ({0B3F9E77-1111-4222-8333-444455556666})',
  );
  assertEquals(there.layer, "defender");
  assertEquals((await check(PRIVATE, request)).status, "open");
  const both = {
    ...PRIVATE,
    [CONNECTIONS]: connected(["Wi-Fi", 1], ["Ethernet", 0]),
  };
  assertEquals((await check(both, request)).status, "unknown");
  const named = { ...request, interface: "Ethernet" };
  assertEquals((await check(both, named)).status, "blocked-by");
  // No network is one that Windows calls public.
  const none = { ...PRIVATE, [CONNECTIONS]: "" };
  assertEquals((await check(none, request)).status, "blocked-by");
});

Deno.test("windows: PowerShell is asked only where the network matters", async () => {
  const calls: Call[] = [];
  await check(PRIVATE, { port: 4000, program: OTHER }, calls);
  assert(!calls.some(({ tool }) => tool === "powershell"));
  await check(PRIVATE, { port: 7000, program: NODE }, calls);
  assertEquals(calls.filter(({ tool }) => tool === "powershell").length, 1);
});

Deno.test("windows: settings of a profile", async () => {
  const withSettings = (lines: string) => ({
    ...PRIVATE,
    [`reg query ${POLICY_KEY} /s`]: recording("windows/firewall_policy.txt")
      .replaceAll(/( {4}EnableFirewall {4}REG_DWORD {4}0x1)/g, lines),
  });
  const off = withSettings("    EnableFirewall    REG_DWORD    0x0");
  assertEquals((await check(off, { port: 4000 })).status, "open");
  const shields = withSettings("    DoNotAllowExceptions    REG_DWORD    0x1");
  const blocked = await check(shields, { port: 7000, program: OTHER });
  assert(blocked.status === "blocked-by");
  assertMatch(blocked.why, /blocks all that comes in/);
  const open = withSettings("    DefaultInboundAction    REG_DWORD    0x0");
  assertEquals(
    (await check(open, { port: 4000, program: OTHER })).status,
    "open",
  );
  assertEquals((await plan(shields, { port: 7000 })).status, "refused");
  const odd = withSettings("    EnableFirewall    REG_DWORD    0x7");
  assertEquals((await check(odd, { port: 4000 })).status, "unknown");
});

Deno.test("windows: what an administrator fixed is managed", async () => {
  const program = OTHER;
  const rows = [
    [5000, "open"], // his own allow
    [5001, "managed"], // his own block
    [7000, "managed"], // an allow of this machine, which does not count
  ] as const;
  for (const [port, status] of rows) {
    const outcome = await check(MANAGED, { port, program });
    assertEquals(outcome.status, status, JSON.stringify(outcome));
  }
  const refused = await plan(MANAGED, { port: 7000, program });
  assert(refused.status === "refused");
  assertMatch(refused.why, /AllowLocalPolicyMerge/);
});

Deno.test("windows: without the registry it is unknown, with what netsh says", async () => {
  for (const language of ["german", "english"]) {
    const answers = {
      "netsh advfirewall show allprofiles": crlf(
        recording(`windows/netsh_${language}.txt`),
      ),
    };
    const outcome = await check(answers, { port: 4000 });
    assertEquals(outcome.status, "unknown");
  }
  // A policy that is there and may not be read is not taken for none.
  const hidden: Answers = { ...MANAGED };
  delete hidden[
    "reg query HKLM\\SOFTWARE\\Policies\\Microsoft\\WindowsFirewall /s"
  ];
  for (
    const answers of [
      hidden,
      {},
      { ...PRIVATE, [`reg query ${POLICY_KEY} /s`]: DENIED },
      { ...PRIVATE, "reg query HKLM\\SOFTWARE\\Policies\\Microsoft": DENIED },
    ]
  ) {
    const outcome = await check(answers, { port: 7000, program: OTHER });
    assertEquals(outcome.status, "unknown", JSON.stringify(outcome));
    assertEquals((await plan(answers, { port: 7000 })).status, "refused");
  }
});

Deno.test("windows: inspect", async () => {
  const report = await inspectFirewall({
    run: machineOf(PRIVATE),
    system: "windows",
  });
  assertEquals(report.rights, false);
  assertEquals(report.layers, [{
    layer: "defender",
    status: "active",
    detail:
      "domain blocks by default, private blocks by default, public blocks by default; 10 inbound rules",
  }]);
});

Deno.test("windows: one narrow rule, in PowerShell or netsh", async () => {
  const request = { port: 4000, program: SERVER };
  const narrow = await plan(PRIVATE, request);
  assert(narrow.status === "ready", JSON.stringify(narrow));
  const name = /-Name '(app:1\.[0-9a-f]{16})'/.exec(narrow.steps[0]!.script!)
    ?.[1];
  assert(name !== undefined);
  assertEquals(
    narrow.steps[0]!.script!.split("\n").at(-1),
    `NetSecurity\\New-NetFirewallRule -PolicyStore PersistentStore -Name '${name}' -DisplayName '${name}' -Group 'app:1' -Direction Inbound -Action Allow -Protocol TCP -LocalPort 4000 -Profile Domain,Private -RemoteAddress 'LocalSubnet' -EdgeTraversalPolicy Block -Program 'C:\\Program Files\\Server\\server.exe' | Out-Null`,
  );
  assertEquals(
    undoing(narrow.steps)[0]!.script!.split("\n").at(-1),
    `NetSecurity\\Remove-NetFirewallRule -PolicyStore PersistentStore -Name '${name}'`,
  );
  assertEquals(narrow.after.status, "would-open");
  const netsh: Answers = { ...PRIVATE };
  delete netsh[
    "reg query HKLM\\SOFTWARE\\Microsoft\\PowerShell\\3\\PowerShellEngine /v PowerShellVersion"
  ];
  const old = await plan(netsh, {
    port: 53,
    protocol: "udp",
    source: "10.0.0.0/8",
    program: SERVER,
  });
  assert(old.status === "ready");
  assertEquals(old.steps[0]!.argv.slice(5).slice(1), [
    "dir=in",
    "action=allow",
    "profile=domain,private",
    `program=${SERVER}`,
    "protocol=UDP",
    "localport=53",
    "remoteip=10.0.0.0/8",
    "edge=no",
  ]);
  assertEquals(old.steps[0]!.argv[0], "C:\\Windows\\System32\\netsh.exe");
});

Deno.test("windows: rules that cannot be read may be any", async () => {
  const answers = {
    ...PRIVATE,
    [`reg query ${POLICY_KEY} /s`]: recording("windows/firewall_policy.txt")
      .replace(
        "v2.31|Action=Allow|Active=TRUE|Dir=In|Protocol=6|LPort=7000",
        "Was|ist das",
      ),
  };
  for (const port of [4000, 7000]) {
    const outcome = await check(answers, { port, program: OTHER });
    assert(outcome.status === "unknown");
    assertMatch(outcome.why, /1 rules cannot be read.*D1C9A1AA/);
  }
});

Deno.test("windows: a block on public networks is none on private ones", async () => {
  // Blocked by the default at home, and by a dismissed prompt elsewhere.
  const request = { port: 4000, program: NODE };
  const home = await plan(PRIVATE, request);
  assert(home.status === "ready", JSON.stringify(home));
  assertMatch(home.steps[0]!.script!, /-Profile Private /);
  const cafe = await plan(PUBLIC, request, { publicNetworks: true });
  assert(cafe.status === "refused");
  assertMatch(cafe.why, /take that rule away first/);
});

Deno.test("windows: names of interfaces are freer, and letters may be lost", async () => {
  const name = "vEthernet (Default Switch) ü";
  const both = {
    ...PRIVATE,
    [CONNECTIONS]: connected(["Wi-Fi", 1], [name, 0]),
  };
  const request = { port: 7000, program: NODE, interface: name };
  assertEquals((await check(both, request)).status, "blocked-by");
  await assertRejects(
    () => check(both, { port: 1, interface: "a\nb" }),
    TypeError,
    "interface",
  );
  // reg.exe prints `ü` in the code page of the console.
  const lost = {
    ...PRIVATE,
    [`reg query ${POLICY_KEY} /s`]: recording("windows/firewall_policy.txt")
      .replaceAll(
        "C:\\Users\\me\\node.exe",
        "C:\\Users\\J\ufffdrgen\\node.exe",
      ),
  };
  const program = "C:\\Users\\Jürgen\\node.exe";
  const where = { port: 7000, interface: "Wi-Fi" };
  const answers = { ...lost, [CONNECTIONS]: connected(["Wi-Fi", 0]) };
  const maybe = await check(answers, { ...where, program });
  assertEquals(maybe.status, "unknown");
  assertEquals(
    (await check(answers, { ...where, program: OTHER })).status,
    "open",
  );
});

Deno.test("windows: what a plan does not do", async () => {
  // On a public network only when it is asked for.
  const closed = await plan(PUBLIC, { port: 4000, program: OTHER });
  assert(closed.status === "refused");
  assertMatch(closed.why, /unless publicNetworks is set/);
  const wide = await plan(PUBLIC, { port: 4000, program: OTHER }, {
    publicNetworks: true,
  });
  assertEquals(wide.status, "ready");
  const onlyPublic = { port: 7000, program: NODE };
  const conflict = await plan(PUBLIC, onlyPublic, { publicNetworks: true });
  assert(conflict.status === "refused");
  assertMatch(conflict.why, /rule "node\.exe".*take that rule away first/);
  const everywhere = await plan(PRIVATE, { port: 4000, program: OTHER }, {
    publicNetworks: true,
  });
  assert(everywhere.status === "ready");
  assertMatch(everywhere.steps[0]!.script!, /-Profile Domain,Private,Public /);
  // A rule that it cannot judge might block it all the same.
  const odd = await plan(PRIVATE, { port: 7002, program: OTHER });
  assert(odd.status === "refused");
  assertMatch(odd.why, /Moon=Full/);
  // All of one family is not all of both.
  const v4 = await plan(PRIVATE, {
    port: 4000,
    program: OTHER,
    source: "0.0.0.0/0",
  });
  assert(v4.status === "ready");
  assertMatch(v4.steps[0]!.script!, /'0\.0\.0\.0\/1','128\.0\.0\.0\/1'/);
  for (const ready of [everywhere, v4]) {
    if (ready.status !== "ready") continue;
    for (const step of [...ready.steps, ...undoing(ready.steps)]) {
      assert(!forbidden(step.script!), step.script);
    }
  }
});

Deno.test("a wrong program is refused by name and value, and nothing is run", async () => {
  for (const system of ["windows", "darwin", "freebsd"]) {
    for (
      const program of ["", "node", "a\nb", "/a\u0000", "/".repeat(2000), 7]
    ) {
      const run = () => Promise.reject(new Error("It was run"));
      const request = { port: 80, program: program as string };
      for (const call of [checkAccess, planAccess]) {
        await assertRejects(
          () => call(request, { run, system }),
          TypeError,
          "program must be a full path",
        );
      }
    }
  }
});
