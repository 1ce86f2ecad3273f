import { testWith } from "@holdfast/testkit";
import { LAB_FAULTS } from "@holdfast/testkit/lab-faults";
import { runInLab } from "@holdfast/testkit/lab";
import { assert, assertEquals, assertRejects } from "@std/assert";
import fc from "fast-check";
import type { Findings } from "./_doctor_findings.ts";
import { forbids, linksOf, routeOf } from "./_doctor_local.ts";
import { classify } from "./classify.ts";
import { judgeFindings } from "./_doctor_rules.ts";
import { readHead } from "./_http_probe.ts";
import { diagnose } from "./doctor.ts";
import { runInNamespace } from "./testdata/in_namespace.ts";

testWith({
  name:
    "the doctor tells 35 injected faults apart, and finds nothing where nothing is wrong",
  needs: ["netns", "iptables", "arping", "ping"],
  timeout: 240_000,
  fn: async () => {
    const driver = new URL("./testdata/doctor_driver.ts", import.meta.url);
    const outputs = await Promise.all(
      ["0/2", "1/2"].map((part) => runInLab(driver, ["--part", part])),
    );
    const lines = outputs.join("").trim().split("\n");
    const told = lines.map((line) => {
      const { id, causes } = JSON.parse(line);
      return [id, causes[0]?.id ?? "healthy", causes[0]?.fix ?? "-"] as const;
    });
    assertEquals(
      told.filter(([id, cause]) => id !== cause),
      [],
      "injected, and what it was taken for",
    );
    assertEquals(new Set(told.map(([id]) => id)).size, LAB_FAULTS.length + 1);
    for (const [, , fix] of told) assert(fix.length > 0);
  },
});

for (const servers of ["nameserver 127.0.0.1", ""]) {
  testWith({
    name: `with "${servers}" alone a link that is down is the root cause`,
    needs: ["netns"],
    fn: () =>
      runInNamespace(
        "./local_stub_driver.ts",
        `mount -t tmpfs none /mnt; echo "${servers}" > /mnt/resolv.conf
        mount --bind /mnt/resolv.conf /etc/resolv.conf; ip link set lo up`,
      ),
  });
}

const HEALTHY: Findings = {
  target: {
    ...{ hostname: "a.test", port: 80, isName: true, tls: false, http: true },
  },
  system: { descriptorsOut: false, portsOut: false },
  links: [{
    ...{ name: "eth0", up: true, carrier: true },
    addresses: [{
      ...{ address: "192.0.2.1", family: "v4", linkLocal: false },
      ...{ tentative: false, duplicate: false },
    }],
  }],
  routes: [{
    ...{ to: "192.0.2.9", kind: "unicast", interface: "eth0" },
    ...{ gateway: "192.0.2.254", source: "192.0.2.1" },
  }],
  ...{ sendForbidden: false, hops: { "192.0.2.254": true }, proxies: [] },
  ...{ conflict: undefined, tunnel: undefined, firewall: undefined },
  servers: [{ server: "192.0.2.53:53", kind: "addresses", alive: true }],
  ...{ name: undefined, portal: { state: "free" }, clockMs: 200 },
  connects: [{
    ...{ address: "192.0.2.9", family: "v4", failure: undefined },
    silent: false,
  }],
  ...{ tls: undefined, service: "answers", mtu: "passes", idle: undefined },
  brokers: [],
};

Deno.test("nothing wrong: every rung is fine, and no cause is named", () => {
  const { causes, steps } = judgeFindings(HEALTHY);
  assertEquals(causes, []);
  assert(steps.every(({ state }) => state === "ok"), JSON.stringify(steps));
});

Deno.test("an address that is checked, or reaches no further than the link, spoils nothing that works", () => {
  const [link] = HEALTHY.links!;
  const [address] = link!.addresses;
  const addresses = {
    tentative: [address!, { ...address!, tentative: true }],
    "link-local": [{ ...address!, linkLocal: true }],
  };
  for (const [name, list] of Object.entries(addresses)) {
    const found = { ...HEALTHY, links: [{ ...link!, addresses: list }] };
    const minor = judgeFindings(found).causes.filter(({ minor }) => !minor);
    assertEquals(minor, [], name);
    // Where nothing works it is the cause.
    const { causes } = judgeFindings({
      ...{ ...found, portal: { state: "unknown", why: "No" }, servers: [] },
      connects: HEALTHY.connects.map((connect) => ({
        ...connect,
        ...{ failure: classify({ code: "ETIMEDOUT" }), silent: true },
      })),
    });
    assertEquals(causes[0]?.step, "address", name);
  }
});

Deno.test("a name server that was asked for nothing has not answered", () => {
  const findings: Findings = {
    ...HEALTHY,
    servers: [{ server: "192.0.2.53:53", kind: "not-asked", alive: false }],
    portal: { state: "unknown", why: "Nobody was asked" },
    hops: { "192.0.2.254": false },
    connects: HEALTHY.connects.map((connect) => ({
      ...connect,
      ...{ failure: classify({ code: "ETIMEDOUT" }), silent: true },
    })),
  };
  assertEquals(judgeFindings(findings).causes[0]?.id, "gateway-silent");
  const { steps } = judgeFindings({ ...findings, target: undefined });
  assertEquals(steps.find(({ id }) => id === "names")?.state, "unknown");
});

Deno.test("what cannot be asked is unknown, and no cause", () => {
  const { causes, steps } = judgeFindings({
    ...HEALTHY,
    ...{ links: undefined, routes: undefined, hops: {}, clockMs: undefined },
    ...{ portal: { state: "unknown", why: "Nobody was asked" } },
  });
  assertEquals(causes, []);
  assert(steps.some(({ state }) => state === "unknown"));
});

Deno.test("whatever is found, there is a judgement, with a fix for each cause and the root before what is minor", () => {
  const some = <T>(...values: T[]) => fc.constantFrom(...values);
  const verdict = fc.record({
    action: some("wait" as const, "give-up" as const),
    failure: some(
      ...["refused", "syn-blackhole", "tls-clock", undefined] as const,
    ),
    code: some("ECONNREFUSED", "EADDRNOTAVAIL", "EHOSTUNREACH", undefined),
    why: fc.constant("It failed"),
  });
  const findings = fc.record({
    system: fc.record({ descriptorsOut: fc.boolean(), portsOut: fc.boolean() }),
    links: some(undefined, [], HEALTHY.links),
    routes: some(undefined, [], HEALTHY.routes),
    sendForbidden: fc.boolean(),
    hops: some({}, { "192.0.2.254": true }, { "192.0.2.254": false }),
    servers: fc.array(
      fc.record({
        server: fc.constant("192.0.2.53:53"),
        kind: some("addresses", "silent", "refused", "sinkhole", "no-data"),
        alive: fc.boolean(),
      }),
      { maxLength: 3 },
    ),
    name: fc.option(verdict, { nil: undefined }),
    connects: fc.array(
      fc.record({
        address: fc.constant("192.0.2.9"),
        family: some("v4" as const, "v6" as const),
        failure: fc.option(verdict, { nil: undefined }),
        silent: fc.boolean(),
      }),
      { maxLength: 3 },
    ),
    tls: some(undefined, "works" as const, "silent" as const),
    clockMs: fc.option(fc.integer(), { nil: undefined }),
    mtu: some("black-hole" as const, "passes" as const, "unknown" as const),
    service: some("answers" as const, "silent" as const, undefined),
  });
  fc.assert(fc.property(findings, (found) => {
    const { causes, steps } = judgeFindings({ ...HEALTHY, ...found });
    assert(steps.length > 0);
    for (const { fix, what, evidence } of causes) {
      assert(fix !== "" && what !== "" && evidence !== "");
    }
    const minors = causes.map(({ minor }) => minor);
    assertEquals(minors, [...minors].sort((a, b) => Number(a) - Number(b)));
  }));
});

Deno.test("what programs say is read without trust", () => {
  fc.assert(
    fc.property(fc.array(fc.dictionary(fc.string(), fc.anything())), (rows) => {
      linksOf(rows);
      for (const row of rows) routeOf("192.0.2.1", row);
    }),
  );
  fc.assert(fc.property(fc.string(), (text) => {
    readHead(text, 1);
  }));
  const head = readHead(
    "HTTP/1.1 302 Found\r\nLocation: http://a/\r\n\r\nx",
    1,
  );
  assertEquals([head?.status, head?.headers.get("location")], [
    302,
    "http://a/",
  ]);
});

Deno.test("a route that forbids is told by its prefix, bit by bit", () => {
  const table: readonly (readonly [string, string, boolean])[] = [
    ["10.64.0.0/10", "10.65.1.1", true],
    ["10.64.0.0/10", "10.1.1.1", false],
    ["10.0.0.0/31", "10.0.0.2", false],
    ["128.0.0.0/1", "200.1.1.1", true],
    ["fd00::/8", "fd66::1", true],
    ["fd00::/8", "fe66::1", false],
    ["192.0.2.1", "192.0.2.1", true],
    ["192.0.2.0/64", "192.0.2.1", false],
    ["nonsense/8", "192.0.2.1", false],
    ["default", "192.0.2.1", true],
  ];
  for (const [dst, to, expected] of table) {
    assertEquals(forbids(to)({ type: "blackhole", dst }), expected, dst);
  }
  assertEquals(
    forbids("10.0.0.1")({ type: "unicast", dst: "10.0.0.0/8" }),
    false,
  );
});

Deno.test("diagnose() says what is wrong with its arguments, and obeys its signal", async () => {
  await assertRejects(() => diagnose({ deadlineMs: 1 }), RangeError);
  for (
    const [options, message] of [
      [{ target: { hostname: "foo..bar", port: 1 } }, "foo..bar"],
      [{ target: { hostname: "a.test", port: 0 } }, "current value is 0"],
      [{ portalUrl: "nowhere" }, 'portalUrl "nowhere"'],
      [{ brokers: ["mqtt://"] }, 'broker "mqtt://"'],
    ] as const
  ) {
    const error = await assertRejects(() => diagnose(options), Error, message);
    assert(error instanceof TypeError || error instanceof RangeError);
  }
  const signal = AbortSignal.abort(new Error("enough"));
  await assertRejects(() => diagnose({ signal }), Error, "enough");
});
