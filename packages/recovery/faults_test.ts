import { testWith } from "@holdfast/testkit";
import { runInLab } from "@holdfast/testkit/lab";
import { assert, assertEquals } from "@std/assert";
import { classify, type FailureId, failures } from "./mod.ts";
import { LINK_FAULTS } from "./testdata/faults/link.ts";
import { NAME_FAULTS } from "./testdata/faults/names.ts";
import { SYSTEM_FAULTS } from "./testdata/faults/system.ts";
import { TCP_FAULTS } from "./testdata/faults/tcp.ts";

/** Entries whose two halves stand in a test of their own. */
const ELSEWHERE: Partial<Record<FailureId, string>> = {
  "fd-exhausted-server": "supervise_test.ts",
  herd: "waits_test.ts",
};

/** Entries that cannot be brought about here: errors as the systems give them. */
const RECORDED: Partial<Record<FailureId, readonly unknown[]>> = {
  "buffers-exhausted": [
    { code: "ENOBUFS" },
    { message: "No buffer space available (os error 105)" },
    { code: "ENOMEM" },
  ],
};

const GROUPS = {
  link: LINK_FAULTS,
  names: NAME_FAULTS,
  system: SYSTEM_FAULTS,
  tcp: TCP_FAULTS,
};

Deno.test("every entry of the catalogue is brought about, or says why not", () => {
  const covered = [
    ...Object.values(GROUPS).flat().map(({ id }) => id),
    ...Object.keys(ELSEWHERE),
    ...Object.keys(RECORDED),
  ];
  assertEquals(covered.sort(), failures.map(({ id }) => id));
  assert(failures.length >= 40);
  for (const id of Object.keys(RECORDED)) {
    const { inject } = failures.find((failure) => failure.id === id)!;
    assert(inject.startsWith("cannot be brought about"), inject);
  }
});

Deno.test("recorded errors are told by the name of their entry", () => {
  for (const [id, errors] of Object.entries(RECORDED)) {
    for (const error of errors!) {
      assertEquals(classify(error, { system: "linux" }).failure, id);
    }
  }
});

testWith({
  name:
    "53 faults for real: plain Deno fails as the catalogue says, and with the prevention it does not",
  needs: ["netns", "iptables", "conntrack", "arping", "faketime"],
  timeout: 300_000,
  fn: async () => {
    const driver = new URL("./testdata/faults_driver.ts", import.meta.url);
    // They mostly wait, each group in a lab of its own.
    const outputs = await Promise.all(
      Object.keys(GROUPS).map((group) => runInLab(driver, [group])),
    );
    const told = outputs.join("").trim().split("\n")
      .map((line) => JSON.parse(line));
    assertEquals(
      told.filter(({ plain, prevented }) =>
        plain !== "shown" || prevented !== "shown"
      ),
      [],
    );
    assertEquals(
      told.map(({ id }) => id),
      Object.values(GROUPS).flat().map(({ id }) => id),
    );
  },
});
