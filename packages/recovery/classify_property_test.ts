import { testWith } from "@holdfast/testkit";
import { assert, assertEquals } from "@std/assert";
import fc from "fast-check";
import { constants } from "node:os";
import { errnoName, errnoOf, type ErrnoTable } from "./_errno.ts";
import {
  BY_CODE,
  BY_NAME,
  BY_TEXT,
  BY_WEAK_NAME,
  BY_WEAK_TEXT,
} from "./_rules.ts";
import { classify } from "./classify.ts";
import { failures } from "./failures.ts";

const SYSTEMS: readonly ErrnoTable[] = ["linux", "bsd", "windows"];
const ACTIONS = ["retry-now", "wait", "retry-after-change", "give-up", "bug"];

/** A property whose getter throws, beside anything. */
const hostile = fc.anything({ withProxy: true } as fc.ObjectConstraints)
  .map((value) => {
    const target = Object(value) as object;
    return new Proxy(target, {
      get(_, key) {
        if (key === "message") throw new Error("no message for you");
        return key === "cause" ? target : Reflect.get(target, key);
      },
    });
  });

Deno.test("any value has a verdict, and nothing throws", () => {
  const ids = new Set<unknown>(failures.map(({ id }) => id));
  const anything = fc.oneof(
    fc.anything({
      withBigInt: true,
      withDate: true,
      withNullPrototype: true,
      withObjectString: true,
      key: fc.constantFrom("code", "message", "cause", "errors", "name", "x"),
    }),
    hostile,
  );
  fc.assert(
    fc.property(anything, (value) => {
      const { action, failure, code, why } = classify(value);
      assert(ACTIONS.includes(action));
      assert(failure === undefined || ids.has(failure));
      assert(code === undefined || typeof code === "string");
      assert(why.length > 0);
    }),
    { numRuns: 1000 },
  );
});

Deno.test("a revoked proxy has a verdict", () => {
  const { proxy, revoke } = Proxy.revocable([], {});
  revoke();
  assertEquals(classify(proxy).action, "give-up");
  assertEquals(classify({ errors: proxy }).action, "give-up");
});

Deno.test("a number in the text says what the code says, on each system", () => {
  for (const system of SYSTEMS) {
    for (let number = 1; number < 12_000; number++) {
      const name = errnoName(number, system);
      if (name === undefined) continue;
      const message = `something (os error 0) failed (os error ${number})`;
      const byText = classify(new Error(message), { system });
      assertEquals(byText, classify({ code: name }), `${system} ${number}`);
      assert(BY_CODE.has(name), name);
    }
  }
});

testWith({
  name: "the numbers of Linux are those of this Linux",
  needs: ["linux"],
  fn() {
    let compared = 0;
    for (const [name, number] of Object.entries(constants.errno)) {
      const ours = errnoName(number, "linux");
      // EWOULDBLOCK is another name of EAGAIN.
      if (ours === undefined || name === "EWOULDBLOCK") continue;
      assertEquals(ours, name);
      compared++;
    }
    assert(compared > 25);
  },
});

Deno.test("Winsock and BSD numbers, from their own headers", () => {
  // winerror.h and sys/errno.h of macOS, typed in a second time.
  const windows: Record<number, string> = {
    10048: "EADDRINUSE",
    10049: "EADDRNOTAVAIL",
    10051: "ENETUNREACH",
    10054: "ECONNRESET",
    10055: "ENOBUFS",
    10060: "ETIMEDOUT",
    10061: "ECONNREFUSED",
    10065: "EHOSTUNREACH",
    11001: "ENOTFOUND",
  };
  for (const [number, name] of Object.entries(windows)) {
    assertEquals(errnoName(Number(number), "windows"), name);
  }
  const bsd: Record<number, string> = {
    48: "EADDRINUSE",
    49: "EADDRNOTAVAIL",
    51: "ENETUNREACH",
    54: "ECONNRESET",
    55: "ENOBUFS",
    60: "ETIMEDOUT",
    61: "ECONNREFUSED",
    65: "EHOSTUNREACH",
  };
  for (const [number, name] of Object.entries(bsd)) {
    assertEquals(errnoName(Number(number), "bsd"), name);
  }
  // The same number means different things.
  assertEquals(errnoOf("x (os error 61)", "linux"), undefined);
});

Deno.test("a cause and a member of errors are found at any depth, cycles too", () => {
  const depth = fc.integer({ min: 0, max: 30 });
  fc.assert(fc.property(depth, fc.infiniteStream(fc.boolean()), (n, forks) => {
    const root: Error & { code?: string } = new Error("inner");
    root.code = "ECONNREFUSED";
    let error: unknown = root;
    for (let i = 0; i < n; i++) {
      error = forks.next().value
        ? new AggregateError([error, new Error("other")], "all failed")
        : new Error("outer", { cause: error });
    }
    root.cause = error;
    assertEquals(classify(error).failure, "refused");
    assertEquals(classify(error).code, "ECONNREFUSED");
  }));
  const loop = new Error("loop");
  loop.cause = new AggregateError([loop], "again");
  assertEquals(classify(loop).action, "give-up");
});

Deno.test("of several the most hopeful counts, in any order", () => {
  const codes = [
    "ECONNRESET",
    "ECONNREFUSED",
    "ENETUNREACH",
    "ENOENT",
    "EBADF",
  ];
  fc.assert(fc.property(
    fc.shuffledSubarray(codes, { minLength: 1 }),
    (some) => {
      const errors = some.map((code) => Object.assign(new Error(), { code }));
      const best = codes.find((code) => some.includes(code));
      assertEquals(classify(new AggregateError(errors)).code, best);
    },
  ));
});

Deno.test("the message of several errors, which quotes them, decides nothing", () => {
  const texts = [
    "Connection refused (os error 111)",
    "Network is unreachable (os error 101)",
    "invalid peer certificate: UnknownIssuer",
  ];
  for (let i = 0; i < texts.length; i++) {
    const turned = [...texts.slice(i), ...texts.slice(0, i)];
    const errors = turned.map((text) => new Error(text));
    const all = new AggregateError(errors, turned.join("; "));
    assertEquals(classify(all, { system: "linux" }).failure, "refused");
  }
});

Deno.test("a time-out gives way to what stands below it", () => {
  const error = new DOMException("Cannot dial", "TimeoutError");
  assertEquals(classify(error).failure, "syn-blackhole");
  Object.defineProperty(error, "cause", { value: { code: "ECONNREFUSED" } });
  assertEquals(classify(error).failure, "refused");
});

Deno.test("a permission and a cancellation stay final above any cause", () => {
  for (const name of ["NotCapable", "AbortError"]) {
    const error = { name, message: "", cause: { code: "ECONNRESET" } };
    assertEquals(classify(error).action, "give-up");
  }
});

Deno.test("a mistake is told from a failure, both being TypeErrors", () => {
  assertEquals(classify(new TypeError("x is not a function")).action, "bug");
  const route = Object.assign(new TypeError("Invalid argument (os error 22)"), {
    code: "EINVAL",
  });
  assertEquals(classify(route).failure, "kill-switch-route");
});

Deno.test("a port that may not be bound is told by node's syscall", () => {
  const error = { code: "EACCES", syscall: "listen" };
  assertEquals(classify(error).action, "give-up");
  assertEquals(classify({ code: "EACCES" }).failure, "kill-switch-route");
});

Deno.test("the catalogue has every id that a verdict can name, each once", () => {
  const ids = failures.map(({ id }) => id);
  assertEquals(ids.length, new Set(ids).size);
  const rules = [
    ...BY_CODE.values(),
    ...BY_NAME.values(),
    ...BY_WEAK_NAME.values(),
    ...[...BY_TEXT, ...BY_WEAK_TEXT].map(([, meaning]) => meaning),
  ];
  const named = new Set<unknown>(rules.map(([, failure]) => failure));
  named.delete(undefined);
  assertEquals([...named].filter((id) => !ids.some((own) => own === id)), []);
});

Deno.test("each entry says everything", () => {
  for (const { id, platforms, ...texts } of failures) {
    assert(platforms.length > 0, id);
    for (const [key, text] of Object.entries(texts)) {
      assert(key === "code" || text!.length > 0, `${id}: ${key}`);
    }
  }
  // Plain data: it goes over a wire and into a document.
  assertEquals(JSON.parse(JSON.stringify(failures)), failures);
});
