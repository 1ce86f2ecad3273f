import { assertEquals, assertThrows } from "@std/assert";
import fc from "fast-check";
import {
  listenVariables,
  parseInheritance,
  requireSocketName,
} from "./_listen_fds.ts";
import { HandoffError } from "./error.ts";

Deno.test("property: what a parent says is what its child understands", () => {
  const name = fc.stringMatching(/^[!-9;-~]{1,20}$/);
  fc.assert(
    fc.property(
      fc.uniqueArray(name, { maxLength: 6 }),
      fc.boolean(),
      (names, control) => {
        names.forEach(requireSocketName);
        const variables = {
          ...listenVariables(names, control),
          LISTEN_PID: "9",
        };
        assertEquals(parseInheritance(variables, 9), {
          names,
          controlFd: control ? 3 + names.length : undefined,
        });
        assertEquals(parseInheritance(variables, 10), undefined);
      },
    ),
  );
});

Deno.test("property: any variables give an inheritance, none, or a HandoffError", () => {
  const text = fc.option(
    fc.oneof(fc.string(), fc.nat(2000).map(String)),
    { nil: undefined },
  );
  fc.assert(
    fc.property(text, text, text, (fds, names, control) => {
      try {
        const { names: got } = parseInheritance({
          LISTEN_PID: "1",
          ...(fds === undefined ? {} : { LISTEN_FDS: fds }),
          ...(names === undefined ? {} : { LISTEN_FDNAMES: names }),
          ...(control === undefined ? {} : { HOLDFAST_CONTROL_FD: control }),
        }, 1) ?? { names: [] };
        assertEquals(new Set(got).size, got.length);
      } catch (error) {
        if (!(error instanceof HandoffError)) throw error;
        assertEquals(error.code, "handoff/bad-inheritance");
      }
    }),
    { numRuns: 500 },
  );
});

Deno.test("parseInheritance() keeps sockets of one name apart", () => {
  const parse = (names: string, count: number): readonly string[] =>
    parseInheritance(
      { LISTEN_PID: "1", LISTEN_FDS: String(count), LISTEN_FDNAMES: names },
      1,
    )!.names;
  assertEquals(parse("web:web:web", 3), ["web", "web.2", "web.3"]);
  assertEquals(parse("web:web:web.2", 3), ["web", "web.3", "web.2"]);
  assertEquals(parse("", 2), ["unknown", "unknown.2"]);
});

Deno.test("parseInheritance() names the variable that makes no sense", () => {
  for (const count of ["-1", "x", "", "1e2", "99999"]) {
    assertThrows(
      () => parseInheritance({ LISTEN_PID: "1", LISTEN_FDS: count }, 1),
      HandoffError,
      `LISTEN_FDS is "${count}"`,
    );
  }
  // A control channel may not be one of the sockets.
  assertThrows(
    () =>
      parseInheritance({
        LISTEN_PID: "1",
        LISTEN_FDS: "2",
        HOLDFAST_CONTROL_FD: "4",
      }, 1),
    HandoffError,
    "HOLDFAST_CONTROL_FD",
  );
});

Deno.test("requireSocketName() refuses what systemd refuses", () => {
  for (const name of ["", "a:b", "a\nb", "ü", "x".repeat(256)]) {
    assertThrows(() => requireSocketName(name), TypeError, "is no name");
  }
});
