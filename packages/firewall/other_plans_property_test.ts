// What a plan for Windows, macOS or FreeBSD changes, by the naive models: the
// connections that were asked for, and no other one.
import { assert, assertEquals } from "@std/assert";
import fc from "fast-check";
import { parsePrefix } from "./_address.ts";
import { planIpfw } from "./_ipfw_plan.ts";
import { parseIpfwRules, parseIpfwTables } from "./_ipfw_parser.ts";
import type { Change } from "./_other_sequence.ts";
import { parseTable } from "./_pf_facts.ts";
import { parsePfRules, parseServices } from "./_pf_parser.ts";
import { planPf } from "./_pf_plan.ts";
import type { Asked } from "./_request.ts";
import type { WindowsFacts } from "./_windows_facts.ts";
import { planWindows } from "./_windows_plan.ts";
import { parseWindowsRule, PROFILES } from "./_windows_rules.ts";
import { forbidden } from "./testdata/recorded.ts";
import * as ipfw from "./testdata/ipfw_model.ts";
import * as pf from "./testdata/pf_model.ts";
import * as windows from "./testdata/windows_model.ts";

const RUNS = Deno.env.get("HOLDFAST_SOAK") === "1" ? 20_000 : 2500;
const PORT = 80;
const wanted = fc.record({
  proto: fc.constantFrom("tcp" as const, "udp"),
  peer: fc.integer({ min: 1, max: 3 }),
});
type Wanted = { readonly proto: "tcp" | "udp"; readonly peer: number };

function askedOf({ proto, peer }: Wanted): Asked {
  return {
    port: PORT,
    protocol: proto,
    families: ["ipv4"],
    source: parsePrefix(`${peer}.0.0.0/8`)!,
    interface: "em0",
  };
}

/** Every connection of a small world. */
function* connections() {
  for (const on of ["em0", "em1"]) {
    for (const proto of ["tcp", "udp"] as const) {
      for (let peer = 1; peer <= 4; peer++) {
        for (let port = 79; port <= 82; port++) {
          yield { on, proto, peer, port };
        }
      }
    }
  }
}

/** How each of them ends before and after, and what may have changed. */
function compare(
  before: (point: { on: string } & Wanted & { port: number }) => boolean,
  after: (point: { on: string } & Wanted & { port: number }) => boolean,
  { proto, peer }: Wanted,
  opensAll: boolean,
): void {
  for (const point of connections()) {
    const meant = point.on === "em0" && point.proto === proto &&
      point.peer === peer && point.port === PORT;
    if (!meant) {
      assertEquals(after(point), before(point), JSON.stringify(point));
    } else if (opensAll) assert(after(point), JSON.stringify(point));
  }
}

function harmless({ open, close }: Change): void {
  for (const { argv, stdin, script } of [open, close]) {
    const words = `${argv.join(" ")} ${stdin} ${script ?? ""}`;
    assert(!forbidden(words), words);
  }
}

const CATCH_ALL: pf.ModelRule = {
  pass: false,
  quick: false,
  direction: "in",
  on: "",
  proto: "",
  peer: 0,
  peerNot: false,
  port: "",
  flags: "",
  state: false,
};
const HOOK: pf.ModelAnchor = {
  path: "app/*",
  quick: false,
  on: "",
  direction: "",
};

Deno.test("pf plans: only what was asked for changes", () => {
  let ready = 0;
  let quick = 0;
  const services = parseServices("");
  const sets = fc.tuple(pf.modelSet, fc.nat(), fc.boolean()).map(
    ([set, at, front]) => ({
      ...set,
      main: [
        ...front ? [CATCH_ALL] : [],
        ...set.main.toSpliced(at % (set.main.length + 1), 0, HOOK),
        ...front ? [] : [CATCH_ALL],
      ],
    }),
  );
  fc.assert(
    fc.property(sets, wanted, (set, want) => {
      const planned = planPf(
        {
          on: true,
          ruleset: {
            main: parsePfRules(pf.textOf(set.main), services),
            anchors: new Map(
              Object.entries(set.anchors).map(([path, rules]) => [
                path,
                parsePfRules(pf.textOf(rules), services),
              ]),
            ),
            tables: new Map([[
              " friends",
              parseTable(set.table.map((n) => `${n}.0.0.0/8\n`).join(""))!,
            ]]),
          },
          redirects: [],
          skipped: [],
          services,
        },
        askedOf(want),
        "app:1",
        ["app"],
      );
      if (planned.type !== "ready") return;
      ready++;
      harmless(planned.change);
      const { text } = planned.spec;
      if (text.includes(" quick ")) quick++;
      assertEquals(
        text.replace(" quick", ""),
        `pass in on em0 inet proto ${want.proto} from ${want.peer}.0.0.0/8 to any port = 80 ${
          want.proto === "tcp" ? "flags S/SA " : ""
        }keep state label "app:1"`,
      );
      const ours: pf.ModelRule = {
        pass: true,
        quick: text.includes(" quick "),
        direction: "in",
        on: "em0",
        proto: want.proto,
        peer: want.peer,
        peerNot: false,
        port: "= 80",
        flags: want.proto === "tcp" ? "S/SA" : "",
        state: true,
      };
      const changed = { ...set, anchors: { ...set.anchors, "app/hf": [ours] } };
      compare(
        (point) => pf.modelAccepts(set, point),
        (point) => pf.modelAccepts(changed, point),
        want,
        planned.stillBlocked.length === 0,
      );
    }),
    { numRuns: RUNS },
  );
  assert(ready > RUNS / 10 && quick > RUNS / 50, `${ready} and ${quick}`);
});

/** The model with a rule of ours before the one at an index. */
function inserted(set: ipfw.ModelSet, at: number, ours: ipfw.ModelRule) {
  const moved = set.rules.map((rule, index) => {
    const target = index + rule.skip;
    if (rule.action !== "skipto" || index >= at) return rule;
    // The end of the list has the highest number, so ours comes before it.
    if (at === set.rules.length) {
      return { ...rule, skip: Math.min(rule.skip, at - index) };
    }
    return target >= at ? { ...rule, skip: rule.skip + 1 } : rule;
  });
  return { ...set, rules: moved.toSpliced(at, 0, ours) };
}

Deno.test("ipfw plans: only what was asked for changes", () => {
  let ready = 0;
  fc.assert(
    fc.property(ipfw.modelSet, wanted, (given, want) => {
      const set = { ...given, denies: true };
      const planned = planIpfw(
        {
          on: true,
          families: ["ipv4", "ipv6"],
          rules: parseIpfwRules(ipfw.textOf(set)),
          tables: parseIpfwTables(
            `--- table(friends), set(0) ---\n${
              set.table.map((n) => `${n}.0.0.0/8 0\n`).join("")
            }`,
          ),
          setsOff: [5],
        },
        askedOf(want),
        "app:1",
      );
      if (planned.type !== "ready") return;
      ready++;
      harmless(planned.change);
      const { number, set: own, words } = planned.spec;
      assertEquals(own, 30);
      assertEquals(
        words.join(" ").replace(/:hf-[0-9a-f]{16} /, ""),
        `allow ${want.proto} from ${want.peer}.0.0.0/8 to me 80 in recv em0 ${
          want.proto === "tcp" ? "setup " : ""
        }keep-state ${words.includes(":default") ? ":default " : ""}// app:1`,
      );
      const ours: ipfw.ModelRule = {
        action: "allow",
        skip: 1,
        off: false,
        proto: want.proto,
        peer: want.peer,
        peerNot: false,
        port: "80",
        way: "in recv em0",
        tcp: want.proto === "tcp" ? "setup" : "",
        keep: true,
        flow: words.includes(":default") ? "default" : "ours",
      };
      const at = Math.min(Math.floor(number / 10), set.rules.length);
      const changed = inserted(set, at, ours);
      compare(
        (point) => ipfw.modelAccepts(set, point),
        (point) => ipfw.modelAccepts(changed, point),
        want,
        planned.stillDenied.length === 0,
      );
    }),
    { numRuns: RUNS },
  );
  assert(ready > RUNS / 10, String(ready));
});

Deno.test("windows plans: only what was asked for changes", async () => {
  let ready = 0;
  const settings = {
    on: true,
    shieldsUp: false,
    allowsByDefault: false,
    localRulesCount: true,
    managed: [],
  };
  await fc.assert(
    fc.asyncProperty(
      fc.array(windows.modelRule, { maxLength: 6 }),
      wanted,
      async (rules, want) => {
        const facts: WindowsFacts = {
          defender: {
            type: "known",
            value: {
              settings: {
                domain: settings,
                private: settings,
                public: settings,
              },
              rules: rules.map((rule, n) =>
                parseWindowsRule(`r${n}`, windows.textOf(rule, 0), "local")!
              ),
              unread: [],
            },
          },
          netsh: undefined,
          rights: false,
          powershell: want.peer > 1,
          localNets: undefined,
          connections: () =>
            Promise.resolve({
              type: "known",
              value: [{ alias: "Wi-Fi", profile: "private" }],
            }),
        };
        const app = windows.APPS[0];
        const asked = { ...askedOf(want), program: app, interface: undefined };
        const { plan, changes: [change] } = await planWindows(
          facts,
          asked,
          "app:1",
        );
        if (plan.status !== "ready") {
          assertEquals(change, undefined);
          return;
        }
        ready++;
        harmless(change!);
        const text = plan.steps[0]!.script ?? plan.steps[0]!.argv.join(" ");
        const profiles = (["Domain", "Private", "Public"] as const).filter(
          (profile) =>
            new RegExp(`rofile[ =][a-z,]*${profile}`, "i").test(text),
        );
        assert(!profiles.includes("Public"));
        const ours: windows.ModelRule = {
          allow: true,
          active: true,
          profiles,
          protocol: want.proto === "tcp" ? "6" : "17",
          ports: [[PORT, PORT]],
          sources: [[want.peer, want.peer]],
          app,
          out: false,
        };
        const accepts = (list: readonly windows.ModelRule[]) =>
        (
          point: Wanted & { port: number },
          profile: windows.ModelPacket["profile"],
          program: string,
        ) =>
          windows.modelAccepts(list, {
            profile,
            protocol: point.proto === "tcp" ? "6" : "17",
            port: point.port,
            source: point.peer,
            app: program,
          }, false);
        const before = accepts(rules);
        const after = accepts([...rules, ours]);
        for (const profile of ["Domain", "Private", "Public"] as const) {
          for (const program of windows.APPS) {
            for (const point of connections()) {
              const meant = profiles.includes(profile) && program === app &&
                point.proto === want.proto && point.peer === want.peer &&
                point.port === PORT;
              const now = after(point, profile, program);
              if (meant) assert(now);
              else assertEquals(now, before(point, profile, program));
            }
          }
        }
      },
    ),
    { numRuns: RUNS },
  );
  assert(ready > RUNS / 10, String(ready));
  assertEquals(PROFILES.length, 3);
});
