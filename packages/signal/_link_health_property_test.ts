import { assert, assertEquals } from "@std/assert";
import fc from "fast-check";
import {
  HEALTH_RULES,
  type HealthAction,
  openHealth,
  rulesOf,
  stepHealth,
} from "./_link_health.ts";

/** What a link does whose broker answers after so long, or never. */
function live(
  options: {
    readonly sends: readonly number[];
    readonly answersMs: (pingAt: number) => number;
    readonly untilMs: number;
  },
): { readonly at: number; readonly action: HealthAction }[] {
  const told: { at: number; action: HealthAction }[] = [];
  const answers: number[] = [];
  const sends = [...options.sends].sort((a, b) => a - b);
  let state = openHealth(0);
  let wakeAt = HEALTH_RULES.idleMs;
  for (;;) {
    const next = Math.min(
      sends[0] ?? Infinity,
      Math.min(...answers),
      wakeAt,
    );
    if (next > options.untilMs) return told;
    let input: "sent" | "heard" | "tick" = "tick";
    if (next === sends[0]) sends.shift(), input = "sent";
    else if (answers.includes(next)) {
      answers.splice(answers.indexOf(next), 1);
      input = "heard";
    }
    const step = stepHealth(state, input, next, HEALTH_RULES);
    state = step.state;
    wakeAt = step.wakeAt;
    // A tick that does what is due is not due again at once.
    assert(
      input !== "tick" || wakeAt > next || step.actions.includes("dead"),
      `${wakeAt}`,
    );
    for (const action of step.actions) {
      told.push({ at: next, action });
      if (action === "ping") {
        const answer = next + options.answersMs(next);
        if (answer < Infinity) answers.push(answer);
      }
      if (action === "dead") return told;
    }
  }
}

const sends = fc.array(fc.integer({ min: 0, max: 60_000 }), { maxLength: 200 });

Deno.test("a broker that answers within the time is never suspected", () => {
  fc.assert(fc.property(
    sends,
    fc.integer({ min: 1, max: 490 }),
    (sends, ms) => {
      const told = live({ sends, answersMs: () => ms, untilMs: 120_000 });
      assertEquals(told.filter(({ action }) => action !== "ping"), []);
    },
  ));
});

Deno.test("one that falls silent under traffic is suspected within 1 s, and dead soon", () => {
  fc.assert(fc.property(
    fc.integer({ min: 1_000, max: 50_000 }),
    (silentAt) => {
      const told = live({
        sends: Array.from({ length: 6_000 }, (_, i) => 10 * i + 5),
        answersMs: (at) => at < silentAt ? 5 : Infinity,
        untilMs: 120_000,
      });
      const suspected = told.find(({ action }) => action === "suspect")!.at;
      assert(suspected - silentAt <= 1_300, `${suspected - silentAt}`);
      // Counted from the first packet that nothing followed.
      const { trafficMs, answerMs, deadMs } = HEALTH_RULES;
      assert(trafficMs + answerMs < 1_000);
      assert(told.at(-1)!.action === "dead");
      assert(told.at(-1)!.at - suspected <= deadMs);
    },
  ));
});

Deno.test("an idle link sends a packet each 15 s and no more", () => {
  const told = live({ sends: [], answersMs: () => 3, untilMs: 600_000 });
  assert(told.length <= 40, `${told.length}`);
});

Deno.test("a program that slept asks again before it judges", () => {
  const asked = stepHealth(openHealth(0), "tick", 15_000, HEALTH_RULES);
  assertEquals(asked.actions, ["ping"]);
  const woke = stepHealth(asked.state, "tick", 90_000, HEALTH_RULES);
  assertEquals(woke.actions, ["ping"]);
  const heard = stepHealth(woke.state, "heard", 90_010, HEALTH_RULES);
  assertEquals(heard.actions, []);
});

Deno.test("after a change of the network silence is judged sooner", () => {
  const probed = stepHealth(openHealth(0), "probe", 100, HEALTH_RULES);
  assertEquals(probed.actions, ["ping"]);
  const suspect = stepHealth(probed.state, "tick", 600, HEALTH_RULES);
  assertEquals(suspect.actions, ["suspect"]);
  const dead = stepHealth(suspect.state, "tick", 1_600, HEALTH_RULES);
  assertEquals(dead.actions, ["dead"]);
});

Deno.test("after a change of the network a near broker gets less time than a far one", () => {
  const deadAfter = (rttMs: number | undefined): number => {
    const rules = rulesOf(false, rttMs);
    let step = stepHealth(openHealth(0), "probe", 0, rules);
    for (let i = 0; i < 9; i++) {
      const now = step.wakeAt;
      step = stepHealth(step.state, "tick", now, rules);
      if (step.actions.includes("dead")) return now;
    }
    return NaN;
  };
  assertEquals([undefined, 0, 5, 100, 10_000].map(deadAfter), [
    ...[HEALTH_RULES.probeMs, 400, 440, 1_200, HEALTH_RULES.probeMs],
  ]);
  // Only then: a silence without news is judged as ever.
  assertEquals(rulesOf(true, 5).deadMs, HEALTH_RULES.deadMs);
});
