import { assert, assertEquals, assertThrows } from "@std/assert";
import fc from "fast-check";
import {
  closeSequence,
  openSequence,
  type Sequence,
  type SequenceResult,
} from "./_other_sequence.ts";
import { parsePrefix, prefixSpan } from "./_address.ts";
import { windowsChange } from "./_windows_change.ts";
import {
  addScript,
  netshAdd,
  netshRemove,
  removeScript,
  type WindowsSpec,
} from "./_windows_commands.ts";
import { evaluateProfile } from "./_windows_evaluate.ts";
import { parseConnections } from "./_windows_json_parser.ts";
import { parseNetshProfiles } from "./_windows_netsh_parser.ts";
import { badWindowsProgram } from "./_windows_program.ts";
import {
  elevatedArgv,
  encodePowerShell,
  powerShellArgv,
  quotePowerShell,
} from "./_windows_quote.ts";
import { parseRegQuery } from "./_windows_registry_parser.ts";
import { parseWindowsRule, type Profile } from "./_windows_rules.ts";
import type { Ran } from "./runner.ts";
import { forbidden, recording, said } from "./testdata/recorded.ts";
import {
  APPS,
  modelAccepts,
  type ModelPacket,
  modelRule,
  textOf,
} from "./testdata/windows_model.ts";

const packet: fc.Arbitrary<ModelPacket> = fc.record({
  profile: fc.constantFrom("Domain" as const, "Private", "Public"),
  protocol: fc.constantFrom("6" as const, "17"),
  port: fc.integer({ min: 78, max: 85 }),
  source: fc.integer({ min: 1, max: 6 }),
  app: fc.constantFrom(...APPS, "C:\\c\\three.exe"),
});
const settings = (allowsByDefault: boolean) => ({
  on: true,
  shieldsUp: false,
  allowsByDefault,
  localRulesCount: true,
  managed: [],
});

Deno.test("windows evaluator: a single packet ends as in the naive model", () => {
  fc.assert(
    fc.property(
      fc.array(modelRule, { maxLength: 8 }),
      fc.nat(2),
      packet,
      fc.boolean(),
      (rules, way, point, allowsByDefault) => {
        const parsed = rules.map((rule, n) =>
          parseWindowsRule(`r${n}`, textOf(rule, way), "local")!
        );
        const verdict = evaluateProfile(
          settings(allowsByDefault),
          parsed,
          point.profile.toLowerCase() as Profile,
          {
            family: "ipv4",
            protocol: point.protocol === "6" ? "tcp" : "udp",
            port: point.port,
            source: prefixSpan(`${point.source}.2.3.4`, 32)!,
            program: point.app,
            localNets: [],
          },
        );
        const accepted = modelAccepts(rules, point, allowsByDefault);
        assertEquals(verdict.type, accepted ? "open" : "blocked", verdict.why);
      },
    ),
    { numRuns: 2000 },
  );
});

Deno.test("windows evaluator: what it says of many packets holds for each", () => {
  let certain = 0;
  fc.assert(
    fc.property(
      fc.array(modelRule, { maxLength: 6 }),
      packet,
      fc.constantFrom(0, 4, 5, 6, 8),
      fc.boolean(),
      (rules, point, length, known) => {
        const parsed = rules.map((rule, n) =>
          parseWindowsRule(`r${n}`, textOf(rule, 0), "local")!
        );
        const span = prefixSpan(`${point.source}.0.0.0`, length)!;
        const verdict = evaluateProfile(
          settings(false),
          parsed,
          point.profile.toLowerCase() as Profile,
          {
            family: "ipv4",
            protocol: point.protocol === "6" ? "tcp" : "udp",
            port: point.port,
            source: length === 0 ? undefined : span,
            program: known ? point.app : undefined,
            localNets: [],
          },
        );
        if (verdict.type === "unknown") return;
        certain++;
        const apps = known ? [point.app] : [...APPS, "C:\\c\\three.exe"];
        for (const app of apps) {
          for (let source = 1; source <= 9; source++) {
            const number = BigInt(source) << 24n;
            if (number < span.lo || number > span.hi) continue;
            const accepted = modelAccepts(
              rules,
              { ...point, app, source },
              false,
            );
            assertEquals(verdict.type, accepted ? "open" : "blocked");
          }
        }
      },
    ),
    { numRuns: 2000 },
  );
  assert(certain > 500, String(certain));
});

Deno.test("windows evaluator: the local subnet, and what comes by Teredo", () => {
  const verdict = (
    text: string,
    source: string,
    nets?: readonly string[],
    own?: string,
  ) => {
    const family = source.includes(":") ? "ipv6" : "ipv4";
    return evaluateProfile(
      settings(false),
      [
        parseWindowsRule(
          "r",
          `v2.31|Action=Allow|Active=TRUE|Dir=In|${text}`,
          "local",
        )!,
      ],
      "private",
      {
        family,
        protocol: "tcp",
        port: 80,
        source: parsePrefix(source)!.span,
        program: "C:\\x.exe",
        own: own === undefined ? undefined : parsePrefix(own)!.span,
        localNets: nets?.map((net) => parsePrefix(net)!.span),
      },
    ).type;
  };
  const local = "RA4=LocalSubnet|RA6=LocalSubnet|";
  const nets = ["192.168.1.0/24", "10.0.0.0/9", "10.128.0.0/9"];
  assertEquals(verdict(local, "192.168.1.7", nets), "open");
  assertEquals(verdict(local, "10.0.0.0/8", nets), "open");
  assertEquals(verdict(local, "192.168.2.7", nets), "blocked");
  assertEquals(verdict(local, "192.168.0.0/23", nets), "unknown");
  assertEquals(verdict(local, "192.168.1.7"), "unknown");
  assertEquals(verdict("RA4=LocalSubnet|", "fe80::1", []), "blocked");
  assertEquals(verdict("RA42=IntrAnet|", "192.168.1.7", nets), "unknown");
  // Without Edge, what comes through a router by Teredo is not let in.
  assertEquals(verdict("", "2001:0:1::1"), "unknown");
  assertEquals(verdict("Edge=TRUE|", "2001:0:1::1"), "open");
  assertEquals(verdict("", "2001:db8::1"), "open");
  // Any one of several words, profiles, ports is enough; none is all of them.
  assertEquals(verdict("Profile=Public|Profile=Private|", "10.0.0.1"), "open");
  assertEquals(
    verdict("Profile=Public|Profile=Domain|", "10.0.0.1"),
    "blocked",
  );
  assertEquals(verdict("LPort=81|LPort=80|", "10.0.0.1"), "open");
  assertEquals(verdict("LPort2_10=70-79|LPort=82|", "10.0.0.1"), "blocked");
  assertEquals(verdict("LPort=RPC|", "10.0.0.1"), "unknown");
  assertEquals(verdict("IFType=Wireless|", "10.0.0.1"), "unknown");
  assertEquals(verdict("RPort=5000|", "10.0.0.1"), "unknown");
  assertEquals(verdict("LA4=10.0.0.1|", "10.0.0.1"), "unknown");
  const own = (text: string, address: string) =>
    verdict(text, "10.0.0.1", [], address);
  assertEquals(own("LA4=192.0.2.0/24|", "192.0.2.5"), "open");
  assertEquals(own("LA4=192.0.2.0/24|", "192.0.3.5"), "blocked");
  assertEquals(own("LA6=fe80::/10|", "192.0.2.5"), "blocked");
  assertEquals(own("LA4=no|", "192.0.2.5"), "unknown");
  assertEquals(verdict("RA4=10.0.0.999|", "10.0.0.1"), "unknown");
});

/** A text that is a recording with a few places broken. */
function broken(path: string): fc.Arbitrary<string> {
  const text = recording(path);
  return fc.array(
    fc.tuple(fc.nat(text.length), fc.nat(30), fc.string({ maxLength: 12 })),
    { maxLength: 8 },
  ).map((cuts) =>
    cuts.reduce(
      (left, [at, gone, put]) =>
        left.slice(0, at) + put + left.slice(at + gone),
      text,
    )
  );
}

Deno.test("windows parsers: any text is read, or is not, without a throw", () => {
  const texts = fc.oneof(
    fc.string(),
    fc.string({ unit: "binary" }),
    broken("windows/firewall_policy.txt"),
    broken("windows/netsh_german.txt"),
    fc.json(),
  );
  fc.assert(
    fc.property(texts, (text) => {
      for (const [, values] of parseRegQuery(text)) {
        for (const { name, data } of values.values()) {
          parseWindowsRule(name, data, "local");
        }
      }
      parseWindowsRule("r", `v2.0|Action=Allow|Dir=In|${text}`, "local");
      parseNetshProfiles(text);
      parseConnections(text);
    }),
    { numRuns: 1000 },
  );
});

Deno.test("windows parsers: answers of PowerShell in all their shapes", () => {
  const one = { InterfaceAlias: "WLAN", NetworkCategory: 1 };
  const rows: readonly (readonly [string, number | undefined])[] = [
    ["", 0],
    ['""', 0],
    ["null", 0],
    [JSON.stringify(one), 1],
    [JSON.stringify([one, one]), 2],
    [JSON.stringify({ value: [one, one], Count: 2 }), 2],
    [JSON.stringify({ ...one, NetworkCategory: "Private" }), 1],
    [JSON.stringify({ ...one, NetworkCategory: 9 }), undefined],
    [JSON.stringify({ ...one, NetworkCategory: "constructor" }), undefined],
    ["Get-NetConnectionProfile : Zugriff verweigert", undefined],
  ];
  for (const [text, count] of rows) {
    assertEquals(parseConnections(text)?.length, count, text);
  }
});

Deno.test("windows parsers: netsh by its shape, in any language", () => {
  assertEquals(parseNetshProfiles(recording("windows/netsh_english.txt")), {
    domain: { on: true, policy: "block" },
    private: { on: false, policy: "allow" },
    public: { on: true, policy: "block-always" },
  });
  assertEquals(
    parseNetshProfiles(recording("windows/netsh_german.txt"))?.public,
    { on: undefined, policy: "block-always" },
  );
  assertEquals(parseNetshProfiles("Ok.\n"), undefined);
});

// A tokenizer of PowerShell's single-quoted literals, written after its own.
function readLiteral(text: string): { value: string; rest: string } {
  const quote = (c: string | undefined) =>
    c !== undefined && "'\u2018\u2019\u201a\u201b".includes(c);
  assert(quote(text[0]));
  let value = "";
  let at = 1;
  for (; at < text.length; at++) {
    if (quote(text[at])) {
      if (!quote(text[at + 1])) break;
      at++;
    }
    value += text[at];
  }
  return { value, rest: text.slice(at + 1) };
}

const HOSTILE = [
  "it's",
  "\u2019; Remove-Item C:\\ -Recurse; \u2018",
  "$(calc)",
  "`$x",
  '" & calc & "',
  "%TEMP%",
  "; calc",
  "a|b",
  "-Enabled False",
];
const hostile = fc.oneof(
  fc.constantFrom(...HOSTILE),
  fc.string({ unit: "grapheme" }),
  fc.stringMatching(/^['\u2018-\u201b$`"();|& %-]{0,20}$/),
);

Deno.test("windows quoting: PowerShell reads back what was meant, and nothing else", () => {
  fc.assert(
    fc.property(hostile, (text) => {
      if (/\p{Cc}|[\u2028\u2029]/u.test(text)) {
        assertThrows(() => quotePowerShell(text), TypeError, "control");
        return;
      }
      assertEquals(readLiteral(`${quotePowerShell(text)} -Next`), {
        value: text,
        rest: " -Next",
      });
    }),
    { numRuns: 2000 },
  );
});

Deno.test("windows quoting: the encoded script is the script", () => {
  fc.assert(fc.property(fc.string({ unit: "binary" }), (script) => {
    const bytes = Uint8Array.from(
      atob(encodePowerShell(script)),
      (c) => c.charCodeAt(0),
    );
    assertEquals(
      new TextDecoder("utf-16le", { ignoreBOM: true })
        .decode(bytes),
      script.toWellFormed(),
    );
  }));
});

function decoded(argv: readonly string[]): string {
  const bytes = Uint8Array.from(atob(argv.at(-1)!), (c) => c.charCodeAt(0));
  return new TextDecoder("utf-16le").decode(bytes);
}

const spec: fc.Arbitrary<WindowsSpec> = fc.record({
  name: fc.stringMatching(/^[A-Za-z0-9._:][A-Za-z0-9._:-]{0,30}$/),
  group: fc.stringMatching(/^[A-Za-z0-9._:][A-Za-z0-9._:-]{0,30}$/),
  protocol: fc.constantFrom("tcp" as const, "udp" as const),
  port: fc.integer({ min: 1, max: 65_535 }),
  profiles: fc.constantFrom(
    ["domain", "private"] as const,
    ["public"] as const,
  ),
  remote: fc.constantFrom(["LocalSubnet"], ["10.0.0.0/8"]),
  local: fc.constantFrom(undefined, "192.0.2.5"),
  program: fc.option(hostile.map((text) => `C:\\${text}`), { nil: undefined }),
});

Deno.test("windows: no script has a word of a hostile path outside of a literal", () => {
  fc.assert(
    fc.property(spec, (given) => {
      if (given.program !== undefined && badWindowsProgram(given.program)) {
        return; // such a plan is refused
      }
      const script = addScript(given);
      // What is left when literals are taken away is always the same.
      let rest = script.split("\n").at(-1)!;
      let outside = "";
      const literals: string[] = [];
      while (rest !== "") {
        const at = rest.search(/['\u2018-\u201b]/);
        if (at < 0) break;
        outside += rest.slice(0, at);
        const read = readLiteral(rest.slice(at));
        literals.push(read.value);
        rest = read.rest;
      }
      outside += rest;
      assert(/^[A-Za-z0-9\\ ,|-]*$/.test(outside), outside);
      assertEquals(literals[0], given.name);
      if (given.program !== undefined) {
        assertEquals(literals.at(-1), given.program);
      }
      const words = outside + removeScript({ ...given, name: "x" });
      assert(!forbidden(words), words);
      // Elevated, the very same script runs, and is passed on without quotes.
      const outer = decoded(elevatedArgv(script));
      const inner = /Arguments = '([^']*)'/.exec(outer)![1]!.split(" ");
      assertEquals(decoded(inner), script);
      assertEquals(powerShellArgv(script).slice(1), inner);
      // A command line of Windows holds 32 767 characters.
      assert(elevatedArgv(script).join(" ").length < 30_000);
      for (const argv of [netshAdd(given), netshRemove(given)]) {
        assert(argv.every((word) => !/^name=all$/i.test(word)));
        assert(!forbidden(argv.slice(1, 5).join(" ")));
        assertEquals(
          argv.filter((word) => word.startsWith("name=")),
          [`name=${given.name}`],
        );
      }
    }),
    { numRuns: 1000 },
  );
});

Deno.test("windows: paths that would be expanded or cannot be are refused", () => {
  for (
    const path of [
      "C:\\%TEMP%\\x.exe",
      "C:\\a|b.exe",
      "C:\\a.exe:stream",
      "x.exe",
      "\\\\server\\x.exe",
      `C:\\${"x".repeat(300)}`,
      "C:\\a\u0007",
      'C:\\"',
    ]
  ) assert(badWindowsProgram(path) !== undefined, path);
  assertEquals(
    badWindowsProgram("C:\\It's (50\u00a0€) & $(x);.exe"),
    undefined,
  );
});

// --- Sequences, played against a registry that our commands change ---------

const SPEC: WindowsSpec = {
  name: "app:1.0123456789abcdef",
  group: "app:1",
  protocol: "tcp",
  port: 4000,
  profiles: ["domain", "private"],
  remote: ["LocalSubnet"],
  program: "C:\\x\\Other.exe",
};
const STEP = (argv: string[], script?: string) => ({
  layer: "defender" as const,
  argv,
  stdin: undefined,
  sentence: "A sentence",
  ...(script && { script }),
});
const CHANGE = windowsChange(
  SPEC,
  STEP(["add"], addScript(SPEC)),
  STEP(["remove"], removeScript(SPEC)),
);
const KEY =
  "HKEY_LOCAL_MACHINE\\SYSTEM\\CurrentControlSet\\Services\\SharedAccess\\Parameters\\FirewallPolicy\\FirewallRules";
const KEPT =
  "v2.31|Action=Allow|Active=TRUE|Dir=In|Protocol=6|Profile=Domain|Profile=Private|LPort=4000|RA4=LocalSubnet|RA6=LocalSubnet|App=C:\\x\\other.exe|Name=app:1.0123456789abcdef|EmbedCtxt=app:1|";

/** A registry; `elevated` says what a command with rights does to it. */
function drive(
  sequence: Sequence,
  rules: Map<string, string>,
  elevated: (script: string) => Ran,
): { result: SequenceResult; prompts: number } {
  let prompts = 0;
  let next = sequence.next();
  while (!next.done) {
    const ask = next.value;
    if (ask.type === "read") {
      const lines = [...rules].map(([name, data]) =>
        `    ${name}    REG_SZ    ${data}`
      );
      next = sequence.next(said(["", KEY, ...lines, ""].join("\r\n")));
    } else {
      prompts++;
      next = sequence.next(elevated(ask.step.script ?? ""));
    }
  }
  return { result: next.value, prompts };
}

Deno.test("windows sequence: add, read back, remove, read back", () => {
  const others = [["mine", "v2.31|Action=Allow|Dir=In|Name=app:1|"]] as const;
  const rules = new Map<string, string>(others);
  const windows = (script: string) => {
    if (script.includes("New-Net")) rules.set(SPEC.name, KEPT);
    if (script.includes("Remove-Net")) rules.delete(SPEC.name);
    return said("");
  };
  const open = () => drive(openSequence(CHANGE), rules, windows);
  const close = () => drive(closeSequence(CHANGE), rules, windows);
  assertEquals(open(), { result: { type: "done" }, prompts: 1 });
  assertEquals(open(), { result: { type: "already" }, prompts: 0 });
  assertEquals(close(), { result: { type: "done" }, prompts: 1 });
  assertEquals(close(), { result: { type: "already" }, prompts: 0 });
  assertEquals([...rules], others.map((row) => [...row]));
});

Deno.test("windows sequence: refused, without effect, changed, unreadable", () => {
  const rules = new Map<string, string>();
  const refused = drive(openSequence(CHANGE), rules, () => said("", 1223));
  assertEquals(refused.result.type, "consent-denied");
  assertEquals(refused.prompts, 1);
  // Exit code 0 and nothing done is a failure; the other way round is none.
  const idle = drive(openSequence(CHANGE), rules, () => said("Ok.\r\n", 0));
  assertEquals(idle.result.type, "failed");
  const odd = drive(openSequence(CHANGE), rules, () => {
    rules.set(SPEC.name, KEPT);
    return said("", 1);
  });
  assertEquals(odd.result.type, "done");
  // A code page of old spoils letters, and is no change.
  const spoilt = windowsChange(
    { ...SPEC, program: "C:\\Jürgen\\x.exe" },
    CHANGE.open,
    CHANGE.close,
  );
  for (const printed of ["J\ufffdrgen", "J?rgen", "Jürgen"]) {
    rules.set(SPEC.name, KEPT.replace("x\\other.exe", `${printed}\\x.exe`));
    const again = drive(openSequence(spoilt), rules, () => said(""));
    assertEquals(again.result.type, "already", printed);
  }
  // Somebody changed our rule: it is theirs now.
  for (
    const changed of [
      KEPT.replace("LPort=4000", "LPort=4001"),
      KEPT.replace("Action=Allow", "Action=Block"),
      KEPT.replace("|RA4=LocalSubnet", ""),
      KEPT.replace("Active=TRUE", "Active=FALSE"),
      KEPT.replace("other.exe", "another.exe"),
      KEPT.replace("|Name=", "|IFType=Wireless|Name="),
      "garbage",
    ]
  ) {
    rules.set(SPEC.name, changed);
    const left = drive(closeSequence(CHANGE), rules, () => said(""));
    assertEquals(left.result.type, "left-alone", changed);
    assertEquals(left.prompts, 0);
  }
  // Two rules with our name, as netsh can make them.
  rules.set(SPEC.name, KEPT).set("{other}", KEPT);
  const twice = drive(closeSequence(CHANGE), rules, () => said(""));
  assertEquals(twice.result.type, "left-alone");
});
