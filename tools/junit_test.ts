import { assertEquals, assertThrows } from "@std/assert";
import { matchesFilter, parseJunit, tally } from "./_junit.ts";

// As Deno 2.9.6 wrote it, shortened.
const REPORT = `<?xml version="1.0" encoding="UTF-8"?>
<testsuites name="deno test" tests="9" failures="4" errors="0" time="0.182">
    <testsuite name="./a_test.ts" tests="7" disabled="2" errors="0" failures="3">
        <testcase name="ok one" classname="./a_test.ts" time="0.000" line="1" col="6">
        </testcase>
        <testcase name="fails &lt;&amp;&gt; &quot;it&quot; &#10;" classname="./a_test.ts" time="0.000" line="2" col="6">
            <failure message="Uncaught Error: boom">Error: &lt;skipped/&gt; boom
    at file:///tmp/probe/a_test.ts:2:41</failure>
        </testcase>
        <testcase name="left [left out: x is not installed]" classname="./a_test.ts" time="0.000" line="3" col="6">
            <skipped/>
        </testcase>
        <testcase name="steps" classname="./a_test.ts" time="0.001" line="4" col="6">
            <failure message="1 test step failed">1 test step failed.</failure>
        </testcase>
        <testcase name="steps &gt; inner ok" classname="./a_test.ts" time="0.000" line="4" col="43">
        </testcase>
        <testcase name="steps &gt; inner ign" classname="./a_test.ts" time="0.000" line="4" col="79">
            <skipped/>
        </testcase>
        <testcase name="steps &gt; inner bad" classname="./a_test.ts" time="0.000" line="4" col="134">
            <failure message="Uncaught Error: x">Error: x</failure>
        </testcase>
    </testsuite>
    <testsuite name="./d.ts#3-6.ts" tests="1" disabled="0" errors="0" failures="0">
        <testcase name="one &gt; two" classname="./d.ts#3-6.ts" time="0.000" line="2" col="6"/>
    </testsuite>
</testsuites>
`;

Deno.test("parseJunit reads every test, step and outcome", () => {
  assertEquals(parseJunit(REPORT).map(({ name, outcome }) => [name, outcome]), [
    ["ok one", "passed"],
    ['fails <&> "it" \n', "failed"],
    ["left [left out: x is not installed]", "left-out"],
    ["steps", "failed"],
    ["steps > inner ok", "passed"],
    ["steps > inner ign", "left-out"],
    ["steps > inner bad", "failed"],
    ["one > two", "passed"],
  ]);
  assertEquals(parseJunit(REPORT)[7]?.file, "./d.ts#3-6.ts");
});

Deno.test("tally counts tests, not steps, but names a step that was left out", () => {
  assertEquals(tally(parseJunit(REPORT)), {
    passed: 2, // "one > two" is a test: no test "one" stands in its file
    failed: 2,
    leftOut: [
      "left [left out: x is not installed] (./a_test.ts)",
      "steps > inner ign (./a_test.ts)",
    ],
  });
});

Deno.test("tally with a filter does not call filtered tests left out", () => {
  const cases = [
    { file: "a", name: "one", outcome: "left-out" },
    { file: "a", name: "two [left out: no ip]", outcome: "left-out" },
    { file: "a", name: "two", outcome: "passed" },
  ] as const;
  assertEquals(tally(cases, "two"), {
    passed: 1,
    failed: 0,
    leftOut: ["two [left out: no ip] (a)"],
  });
});

Deno.test("matchesFilter takes a part of the name or a pattern", () => {
  assertEquals(matchesFilter("opens a session", "a ses"), true);
  assertEquals(matchesFilter("opens a session", "ses$"), false);
  assertEquals(matchesFilter("opens a session", "/sess.*n$/"), true);
  assertEquals(matchesFilter("opens a session", "/^sess/"), false);
  assertEquals(matchesFilter("anything", undefined), true);
});

Deno.test("parseJunit refuses a report that a crash cut off", () => {
  assertThrows(() => parseJunit(REPORT.slice(0, -20)), TypeError, "cut off");
  assertThrows(() => parseJunit(""), TypeError, "cut off");
});
