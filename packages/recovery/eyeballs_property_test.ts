import { assert, assertEquals } from "@std/assert";
import fc from "fast-check";
import {
  type Eyeballs,
  type EyeballsAction,
  type EyeballsConfig,
  type EyeballsInput,
  type Family,
  startEyeballs,
  stepEyeballs,
} from "./_eyeballs.ts";
import { familyMemory } from "./family_memory.ts";

const CONFIG: EyeballsConfig = {
  ...{ first: "v6", staggerMs: 250, hedgeMs: 150, hedgesMax: 8 },
  ...{ resolutionDelayMs: 50, socketsMax: 12 },
};

type Log = { readonly at: number; readonly action: EyeballsAction };

/** Feeds inputs at their times, wakes in between, and keeps what was done. */
function play(
  inputs: readonly (readonly [at: number, input: EyeballsInput])[],
  until: number,
  config: Partial<EyeballsConfig> = {},
): { readonly log: readonly Log[]; readonly state: Eyeballs } {
  let state = startEyeballs({ ...CONFIG, ...config }, ["v6", "v4"], 0);
  let wakeAt: number | undefined;
  const log: Log[] = [];
  const feed = (at: number, input: EyeballsInput): void => {
    const step = stepEyeballs(state, input, at);
    ({ state, wakeAt } = step);
    for (const action of step.actions) log.push({ at, action });
  };
  const left = [...inputs].sort(([a], [b]) => a - b);
  for (let rounds = 0; rounds < 10_000; rounds++) {
    const at = Math.min(left[0]?.[0] ?? Infinity, wakeAt ?? Infinity);
    if (at > until) return { log, state };
    if (left[0] !== undefined && left[0][0] <= at) feed(...left.shift()!);
    else feed(at, { type: "wake" });
  }
  throw new Error("It does not end");
}

const found = (family: Family, ...addresses: string[]): EyeballsInput => ({
  ...{ type: "found", family, addresses },
});
const opened = ({ log }: ReturnType<typeof play>): [number, string][] =>
  log.flatMap(({ at, action }): [number, string][] =>
    action.type === "open" ? [[at, action.address]] : []
  );

Deno.test("IPv4 waits 50 ms for IPv6, and no longer", () => {
  const both = play([[0, found("v4", "a")], [30, found("v6", "six")]], 100);
  assertEquals(opened(both), [[30, "six"]]);
  const late = play([[0, found("v4", "a")], [90, found("v6", "six")]], 310);
  assertEquals(opened(late)[0], [50, "a"]);
  assert(opened(late).some(([at, who]) => who === "six" && at === 300));
  const none = play([[10, found("v6")], [20, found("v4", "a")]], 25);
  assertEquals(opened(none), [[20, "a"]]);
});

Deno.test("addresses take turns by family, a stagger apart, at once after a failure", () => {
  const lookUps: [number, EyeballsInput][] = [
    ...[[0, found("v6", "6a", "6b")], [0, found("v4", "4a", "4b")]] as const,
  ] as [number, EyeballsInput][];
  const slow = play(lookUps, 800, { hedgesMax: 0 });
  assertEquals(opened(slow), [
    ...[[0, "6a"], [250, "4a"], [500, "6b"], [750, "4b"]] as const,
  ] as [number, string][]);
  const failing = play(
    [...lookUps, [5, { type: "failed", attempt: 0 }]],
    100,
    { hedgesMax: 0 },
  );
  assertEquals(opened(failing), [[0, "6a"], [5, "4a"]]);
});

Deno.test("a silent address gets more sockets, ever slower; one that answered gets none", () => {
  const silent = play([[0, found("v6")], [0, found("v4", "a")]], 10_000);
  assertEquals(opened(silent).map(([at]) => at), [
    ...[0, 150, 300, 450, 600, 750, 900, 1_050, 1_350],
  ]);
  const answered = play([
    ...[[0, found("v6")], [0, found("v4", "a")]] as [number, EyeballsInput][],
    [20, { type: "answered", attempt: 0 }],
  ], 10_000);
  assertEquals(opened(answered).length, 1);
});

const inputs = fc.array(
  fc.tuple(
    fc.nat(3_000),
    fc.oneof(
      fc.record({
        type: fc.constant("found" as const),
        family: fc.constantFrom<Family>("v4", "v6"),
        addresses: fc.array(fc.constantFrom("a", "b", "c", "d"), {
          maxLength: 4,
        }),
      }),
      fc.record({
        type: fc.constantFrom(
          ...["answered", "failed", "failed", "done"] as const,
        ),
        attempt: fc.nat(12),
      }),
      fc.constant({ type: "wake" as const }),
    ),
  ),
  { maxLength: 30 },
);

Deno.test("whatever happens: no address lost or opened after the end, losers abandoned once, sockets bounded", () => {
  fc.assert(fc.property(inputs, fc.integer({ min: 1, max: 6 }), (list, max) => {
    const { log, state } = play(list, 20_000, { socketsMax: max });
    const open = new Set<number>();
    for (const { action } of log) {
      if (action.type === "open") {
        assert(!open.has(action.attempt));
        open.add(action.attempt);
      } else assert(open.delete(action.attempt));
    }
    const running = state.lanes.flatMap(({ running }) => running);
    assert(running.length <= max);
    if (state.outcome === "lost") {
      assert(state.lanes.every(({ started }) => started > 0));
      assertEquals(running, []);
    }
    if (state.outcome === "won") {
      // All that was open but the winner and what failed was abandoned.
      const abandoned = log.filter(({ action }) => action.type === "abandon");
      assertEquals(abandoned.length, running.length - 1);
    }
  }));
});

Deno.test("a family that loses three times goes last, and is asked again less and less often", () => {
  const memory = familyMemory();
  const lost = { won: "v4", ms: 10, sixWasSilent: true } as const;
  const firsts = (at: number) => memory.first(at);
  memory.take(lost, 0);
  memory.take(lost, 0);
  assertEquals(firsts(0), "v6");
  memory.take(lost, 0);
  assertEquals([firsts(29_999), firsts(30_000)], ["v4", "v6"]);
  memory.take(lost, 30_000);
  assertEquals([firsts(89_999), firsts(90_000)], ["v4", "v6"]);
  memory.take({ won: "v6", ms: 10, sixWasSilent: false }, 90_000);
  assertEquals(firsts(90_001), "v6");
  assertEquals(memory.connectMs("v4"), 10);
  memory.forget();
  assertEquals(memory.connectMs("v4"), undefined);
});
