// Macs on recorded answers of three versions (see testdata/README.md): it was
// not run on the real system.
import { assert, assertEquals, assertMatch } from "@std/assert";
import fc from "fast-check";
import { checkAccess } from "./check_access.ts";
import { inspectFirewall } from "./inspect_firewall.ts";
import { evaluateAlf, isInterpreter } from "./_macos_evaluate.ts";
import { readMacos } from "./_macos_facts.ts";
import {
  parseAllowSigned,
  parseBlockAll,
  parseGlobalState,
  parseListApps,
  parseSignature,
  parseStealth,
  type Signature,
} from "./_macos_parser.ts";
import { badMacosProgram, entryFor } from "./_macos_change.ts";
import { planMacos } from "./_macos_plan.ts";
import { closeChanges, openChanges, type Rights } from "./_other_apply.ts";
import {
  closeSequence,
  openSequence,
  type Sequence,
} from "./_other_sequence.ts";
import { checkRequest } from "./_request.ts";
import { planAccess } from "./plan_access.ts";
import type { PlanOptions } from "./plan.ts";
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
const VERSIONS = JSON.parse(recording("macos/application_firewall.json"));
const NO_PF = said("", 1, "pfctl: /dev/pf: Permission denied\n");
const PF_OFF =
  "Status: Disabled                              Debug: Urgent\n\nState Table\n";
const DEVELOPER = said(
  "",
  0,
  "Executable=/x\nAuthority=Developer ID Application: Somebody (ABCDE12345)\nAuthority=Developer ID Certification Authority\nAuthority=Apple Root CA\n",
);
const UNSIGNED = said("", 1, "/x: code object is not signed at all\n");
const ADHOC = said(
  "",
  0,
  "Executable=/x\nSignature=adhoc\nTeamIdentifier=not set\n",
);

const OPEN = "/Applications/Foo.app/Contents/MacOS/Foo";
const CLOSED = "/usr/local/bin/closed";
const NEW = "/Users/me/server";
const LINK = "/usr/local/bin/server";
const DENO = "/opt/homebrew/Cellar/deno/2.9.6/bin/deno";
const HOSTILE = '/Users/me/It\'s a $(tool); "x"';

function mac(version: string, more: Answers = {}): Answers {
  const said = VERSIONS[version];
  const paths = [OPEN, CLOSED, NEW, DENO, HOSTILE];
  return {
    "socketfilterfw --getglobalstate": said.globalstate,
    "socketfilterfw --getblockall": said.blockall,
    "socketfilterfw --getstealthmode": said.stealth,
    "socketfilterfw --getallowsigned": said.allowsigned,
    "socketfilterfw --listapps": said.listapps,
    "sw_vers -productVersion": said.sw_vers,
    "id -u": "501\n",
    "pfctl -s info": PF_OFF,
    ...Object.fromEntries(paths.flatMap((path) => [
      [`realpath ${path}`, `${path}\n`],
      [`codesign -d -v --verbose=2 ${path}`, ADHOC],
    ])),
    [`realpath ${LINK}`]: `${NEW}\n`,
    ...more,
  };
}
const options = (answers: Answers, calls: Call[] = []) => ({
  run: machineOf(answers, calls),
  system: "darwin",
  tag: "app:1",
});
const check = (answers: Answers, request: AccessRequest) =>
  checkAccess(request, options(answers));
const plan = (
  answers: Answers,
  request: AccessRequest,
  more: PlanOptions = {},
) => planAccess(request, { ...more, ...options(answers) });

Deno.test("macos: three versions of the same words", async () => {
  for (const version of ["14", "15", "26"]) {
    const rows: readonly (readonly [string | undefined, string, RegExp])[] = [
      [OPEN, "open", /allows \/Applications\/Foo\.app/],
      [CLOSED, "blocked-by", /entry that blocks/],
      [HOSTILE, "open", /allows/],
      [NEW, "blocked-by", /asks the person/],
      [LINK, "blocked-by", /no entry for \/Users\/me\/server/],
      [undefined, "unknown", /name the program/],
      ["/nowhere", "unknown", /where \/nowhere leads to/],
    ];
    for (const [program, status, why] of rows) {
      const outcome = await check(mac(version), { port: 4000, program });
      assertEquals(outcome.status, status, JSON.stringify(outcome));
      assertMatch(outcome.why, why);
    }
    const report = await inspectFirewall(options(mac(version)));
    assertEquals(report.rights, false);
    assertEquals(report.layers[0], {
      layer: "application-firewall",
      status: "active",
      detail: `macOS ${version}, on, 3 programs`,
    });
  }
});

Deno.test("macos: off, block all, signed, managed", async () => {
  const request = { port: 4000, program: NEW };
  const state = (text: string) =>
    mac("26", { "socketfilterfw --getglobalstate": text });
  const off = state("Firewall is disabled. (State = 0)\n");
  assertEquals((await check(off, { port: 4000 })).status, "open");
  for (
    const all of [
      state("Firewall is enabled. (State = 2)\n"),
      state(
        "Firewall is blocking all non-essential incoming connections. (State = 2)\n",
      ),
      mac("14", { "socketfilterfw --getblockall": "Block all ENABLED! \n" }),
      mac("26", {
        "socketfilterfw --getblockall":
          "Firewall has block all state set to enabled.\n",
      }),
    ]
  ) {
    // Even for a program with an entry that allows it.
    const outcome = await check(all, { port: 4000, program: OPEN });
    assert(outcome.status === "blocked-by", JSON.stringify(outcome));
    assertEquals(outcome.layer, "application-firewall");
    const refused = await plan(all, { port: 4000, program: OPEN });
    assert(refused.status === "refused");
    assertMatch(refused.why, /until that is switched off/);
  }
  const signed = (answer: Ran) =>
    mac("26", { [`codesign -d -v --verbose=2 ${NEW}`]: answer });
  assertEquals((await check(signed(DEVELOPER), request)).status, "open");
  assertEquals((await check(signed(UNSIGNED), request)).status, "blocked-by");
  assertEquals(
    (await check(signed(said("", 1, "etwas anderes")), request)).status,
    "unknown",
  );
  const managed = state(
    "Firewall settings cannot be modified from command line on managed Mac computers.\n",
  );
  const outcome = await check(managed, request);
  assert(outcome.status === "unknown");
  assertMatch(outcome.why, /administrator/);
  const list = mac("26", {
    "socketfilterfw --getstealthmode":
      "Firewall settings cannot be modified from command line on managed Mac computers.\n",
  });
  assertEquals((await check(list, request)).status, "managed");
  assertEquals((await plan(list, request)).status, "refused");
  // Sentences of a version to come are not understood, and so are unknown.
  for (const key of Object.keys(mac("26")).slice(0, 5)) {
    if (key.includes("stealth")) continue;
    const later = await check(mac("26", { [key]: "All is well.\n" }), request);
    assertEquals(later.status, "unknown", key);
  }
});

Deno.test("macos: without rights pf is unknown, and a block stays certain", async () => {
  const hidden = mac("26", { "pfctl -s info": NO_PF });
  const open = await check(hidden, { port: 4000, program: OPEN });
  assert(open.status === "unknown");
  assertEquals(open.command, "sudo pfctl -s rules");
  const blocked = await check(hidden, { port: 4000, program: CLOSED });
  assertEquals(blocked.status, "blocked-by");
  const ready = await plan(hidden, { port: 4000, program: NEW });
  assert(ready.status === "ready", JSON.stringify(ready));
  assertEquals(ready.after.status, "unknown");
});

Deno.test("macos: an entry for a program, and the way back", async () => {
  const ready = await plan(mac("15"), { port: 4000, program: LINK });
  assert(ready.status === "ready", JSON.stringify(ready));
  const tool = "/usr/libexec/ApplicationFirewall/socketfilterfw";
  assertEquals(ready.steps.map(({ argv }) => argv), [
    [tool, "--add", NEW],
    [tool, "--unblockapp", NEW],
  ]);
  assertEquals(undoing(ready.steps).map(({ argv }) => argv), [
    [tool, "--remove", NEW],
  ]);
  assertMatch(ready.steps[1]!.sentence, /every other port/);
  const conflict = await plan(mac("15"), { port: 4000, program: CLOSED });
  assert(conflict.status === "refused");
  assertMatch(conflict.why, /not overruled/);
  // An interpreter would let in all scripts.
  const deno = await plan(mac("15"), { port: 4000, program: DENO });
  assert(deno.status === "refused");
  assertMatch(deno.why, /deno compile/);
  const forced = await plan(mac("15"), { port: 4000, program: DENO }, {
    wholeProgram: true,
  });
  assertEquals(forced.status, "ready");
  for (const name of ["node", "python3.12", "ruby", "Java", "bash"]) {
    assert(isInterpreter(`/usr/bin/${name}`), name);
  }
  for (const name of ["denoted", "my-node-server", "javac2"]) {
    assert(!isInterpreter(`/usr/bin/${name}`), name);
  }
});

const PF_ON: Answers = {
  "pfctl -s info":
    "Status: Enabled for 0 days 02:11:05           Debug: Urgent\n",
  "pfctl -s nat":
    'nat-anchor "com.apple/*" all\nrdr-anchor "com.apple/*" all\n',
  "pfctl -v -s Anchors":
    "  com.apple\n  com.apple/200.AirDrop\n  com.apple/250.ApplicationFirewall\n",
  "pfctl -v -s Interfaces": "all\nen0\nlo0 (skip)\n",
  "cat /etc/services": "http 80/tcp\n",
};
for (
  const name of [
    "com.apple",
    "com.apple/200.AirDrop",
    "com.apple/250.ApplicationFirewall",
  ]
) {
  PF_ON[`pfctl -a ${name} -s rules`] = "";
  PF_ON[`pfctl -a ${name} -s nat`] = "";
}
const STOCK =
  'scrub-anchor "com.apple/*" all fragment reassemble\nanchor "com.apple/*" all\n';

Deno.test("macos: pf with the anchors that it comes with", async () => {
  const request = { port: 4000, program: OPEN };
  const stock = mac("26", { ...PF_ON, "pfctl -s rules": STOCK });
  assertEquals((await check(stock, request)).status, "open");
  const blocking = mac("26", {
    ...PF_ON,
    "pfctl -s rules": `${STOCK}block drop in proto tcp all\n`,
  });
  const outcome = await check(blocking, request);
  assert(outcome.status === "blocked-by" && outcome.layer === "pf");
  const ready = await plan(blocking, { port: 4000, program: NEW });
  assert(ready.status === "ready", JSON.stringify(ready));
  assertEquals(ready.steps.map(({ layer }) => layer), [
    "application-firewall",
    "application-firewall",
    "pf",
  ]);
  assertMatch(
    ready.steps[2]!.argv.join(" "),
    /^\/sbin\/pfctl -a com\.apple\/hf-[0-9a-f]{16} -f -$/,
  );
  assertEquals(
    ready.steps[2]!.stdin,
    'pass in quick proto tcp from any to any port = 4000 flags S/SA keep state label "app:1"\n',
  );
  assertEquals(undoing(ready.steps).map(({ layer }) => layer), [
    "pf",
    "application-firewall",
  ]);
  for (const { argv, stdin } of [...ready.steps, ...undoing(ready.steps)]) {
    assert(!forbidden(`${argv.join(" ")} ${stdin}`), argv.join(" "));
  }
  // Apple's own rules inside of the anchor count.
  const inside = mac("26", {
    ...PF_ON,
    "pfctl -s rules": STOCK,
    "pfctl -a com.apple/250.ApplicationFirewall -s rules":
      "block drop in quick proto tcp from any to any port = 4000\n",
  });
  assertEquals((await check(inside, request)).status, "blocked-by");
});

Deno.test("macos evaluator: the whole table of what it depends on", () => {
  const entry = (allowed: boolean) => ({ path: NEW, allowed });
  const bools = [true, false];
  let rows = 0;
  for (const state of [0, 1, 2] as const) {
    for (const blockAll of bools) {
      for (const apps of [undefined, [], [entry(true)], [entry(false)]]) {
        for (const builtIn of bools) {
          for (const downloaded of bools) {
            for (
              const signature of [
                "apple",
                "developer",
                "none",
                "unknown",
              ] as readonly Signature[]
            ) {
              rows++;
              const allowSigned = { builtIn, downloaded };
              const { type } = evaluateAlf(
                { state, blockAll, apps, allowSigned },
                { path: NEW, signature },
              );
              const truth = () => {
                if (state === 0) return "open";
                if (state === 2 || blockAll) return "blocked";
                if (apps === undefined) return "unknown";
                if (apps.length > 0) {
                  return apps[0]!.allowed ? "open" : "blocked";
                }
                return {
                  apple: builtIn ? "open" : "blocked",
                  developer: downloaded ? "open" : "blocked",
                  none: "blocked",
                  unknown: "unknown",
                }[signature];
              };
              assertEquals(type, truth());
            }
          }
        }
      }
    }
  }
  assertEquals(rows, 3 * 2 * 4 * 2 * 2 * 4);
});

Deno.test("macos parsers: any text is read, or is not, without a throw", () => {
  const text = Object.values(VERSIONS).flatMap((version) =>
    Object.values(version as Record<string, string>)
  );
  const broken = fc.tuple(
    fc.constantFrom(...text),
    fc.nat(400),
    fc.nat(9),
    fc.string({ maxLength: 9 }),
  ).map(([left, at, gone, put]) =>
    left.slice(0, at) + put + left.slice(at + gone)
  );
  fc.assert(
    fc.property(
      fc.oneof(fc.string(), fc.string({ unit: "binary" }), broken),
      (printed) => {
        for (
          const parse of [
            parseGlobalState,
            parseBlockAll,
            parseStealth,
            parseAllowSigned,
            parseListApps,
          ]
        ) assert(/known|managed|unread/.test(parse(printed).type));
        parseSignature(printed);
      },
    ),
    { numRuns: 2000 },
  );
});

Deno.test("macos parsers: a list is read back, or is refused, but never misread", () => {
  const app = fc.record({
    path: fc.string({ unit: "grapheme" }).map((text) => `/${text}`),
    allowed: fc.boolean(),
  });
  fc.assert(
    fc.property(
      fc.array(app, { maxLength: 4 }),
      fc.boolean(),
      (apps, late) => {
        const word = ({ allowed }: { allowed: boolean }) =>
          `${allowed ? "Allow" : "Block"} incoming connections`;
        const printed = late
          ? `Total number of apps = ${apps.length} \n${
            apps.map((app, at) =>
              `${at + 1} : ${app.path} \n             (${word(app)})\n`
            ).join("")
          }`
          : `ALF: total number of apps = ${apps.length} \n\n${
            apps.map((app, at) =>
              `${at + 1} :  ${app.path} \n \t ( ${word(app)} ) \n\n`
            ).join("")
          }`;
        const answer = parseListApps(printed);
        if (answer.type !== "known") {
          assert(apps.some(({ path }) => badMacosProgram(path) !== undefined));
          return;
        }
        const clean = apps.filter(({ path }) =>
          badMacosProgram(path) === undefined
        );
        if (clean.length === apps.length) assertEquals(answer.value, apps);
      },
    ),
    { numRuns: 2000 },
  );
  // A path with a line break cannot pass itself off as another entry.
  const forged =
    "ALF: total number of apps = 1 \n\n1 :  /a\n \t ( Allow incoming connections ) \n\n2 :  /usr/bin/x \n \t ( Allow incoming connections ) \n";
  assertEquals(parseListApps(forged).type, "unread");
});

/** Plays a sequence on a list that the commands change. */
function drive(
  sequence: Sequence,
  list: Map<string, boolean>,
  elevated: (line: string) => Ran,
) {
  let prompts = 0;
  let next = sequence.next();
  while (!next.done) {
    const ask = next.value;
    if (ask.type === "read") {
      const lines = [...list].map(([path, allowed], at) =>
        `${at + 1} : ${path} \n             (${
          allowed ? "Allow" : "Block"
        } incoming connections)\n`
      );
      next = sequence.next(
        said(`Total number of apps = ${list.size} \n${lines.join("")}`),
      );
    } else {
      prompts++;
      assertEquals(ask.step.argv.slice(0, 2), ["/usr/bin/osascript", "-"]);
      next = sequence.next(elevated(ask.step.script!));
    }
  }
  return { ...next.value, prompts };
}

Deno.test("macos sequence: one prompt, judged by the list alone", () => {
  const asked = checkRequest({ port: 4000, program: NEW });
  const { change } = entryFor(NEW, asked);
  const list = new Map([["/Applications/Foo.app", true], [CLOSED, false]]);
  const before = [...list];
  const run = (line: string) => {
    if (line.includes("--unblockapp")) list.set(NEW, true);
    if (line.includes("--remove")) list.delete(NEW);
    return said("");
  };
  const open = () => drive(openSequence(change), list, run);
  const close = () => drive(closeSequence(change), list, run);
  assertEquals(open(), { type: "done", prompts: 1 });
  assertEquals(open(), { type: "already", prompts: 0 });
  assertEquals(close(), { type: "done", prompts: 1 });
  assertEquals(close(), { type: "already", prompts: 0 });
  assertEquals([...list], before);
  const denied = said("", 1, "0:83: execution error: Abgebrochen. (-128)\n");
  assertEquals(
    drive(openSequence(change), list, () => denied).type,
    "consent-denied",
  );
  // It says "permitted" for paths that it does not know.
  const lies = said("Incoming connection to the application is permitted\n");
  assertEquals(drive(openSequence(change), list, () => lies).type, "failed");
  list.set(NEW, false);
  assertEquals(open().type, "left-alone");
  assertEquals(close().type, "left-alone");
});

Deno.test("macos sequence: an entry and a rule of pf behind one prompt", async () => {
  const answers = mac("26", {
    ...PF_ON,
    "pfctl -s rules": `${STOCK}block drop in all\n`,
  });
  const facts = await readMacos(options(answers), NEW);
  const asked = checkRequest({ port: 4000, program: NEW });
  const { changes } = planMacos(facts, asked, "app:1");
  assertEquals(changes.length, 1);
  const list = new Map<string, boolean>();
  let anchor: string | undefined;
  const path = /com\.apple\/hf-[0-9a-f]{16}/.exec(changes[0]!.open.script!)![0];
  let obeys = (_line: string) => true;
  const lines: string[] = [];
  const rights: Rights = {
    read: ({ tool, args }) => {
      const answer = tool === "socketfilterfw"
        ? said(
          `Total number of apps = ${list.size} \n${
            [...list].map(([app]) =>
              `1 : ${app} \n             (Allow incoming connections)\n`
            ).join("")
          }`,
        )
        : args.includes("Anchors")
        ? said(anchor === undefined ? "" : `  ${path}\n`)
        : said(anchor ?? "", anchor === undefined ? 1 : 0);
      return Promise.resolve(answer);
    },
    elevated: ({ argv, script = "" }) => {
      assertEquals(argv.slice(0, 2), ["/usr/bin/osascript", "-"]);
      lines.push(script);
      for (const line of script.split(" && ")) {
        if (!obeys(line)) return Promise.resolve(said("", 1, "no"));
        if (line.includes("--unblockapp")) list.set(NEW, true);
        if (line.includes("--remove")) list.delete(NEW);
        const [, rule] = /printf %s '([^']*)' \|/.exec(line) ?? [];
        if (rule !== undefined) anchor = rule.trim() === "" ? undefined : rule;
      }
      return Promise.resolve(said(""));
    },
  };
  const opened = await openChanges(changes, rights);
  assertEquals(opened.result.type, "done");
  assertEquals(lines.length, 1);
  assert(list.get(NEW) && anchor?.includes("pass in quick"));
  const closed = await closeChanges(opened.made, rights);
  assertEquals([closed.result.type, closed.made.length], ["done", 0]);
  assertEquals([lines.length, list.size, anchor], [2, 0, undefined]);
  // pf fails behind the entry: the entry does not stay.
  obeys = (line) => !line.includes("pass in");
  const half = await openChanges(changes, rights);
  assertEquals([half.result.type, half.made.length], ["failed", 0]);
  assertEquals([list.size, anchor], [0, undefined]);
  // An aborted signal runs nothing.
  const stopped = openChanges(changes, rights, {
    signal: AbortSignal.abort("x"),
  });
  assertEquals(await stopped.catch((reason) => reason), "x");
});
