import { assert, assertEquals, assertThrows } from "@std/assert";
import fc from "fast-check";
import { parseInheritance, successorArgs } from "./_cli_restart.ts";
import {
  type ConnectionState,
  decodeTunnelState,
  encodeTunnelState,
} from "./_tunnel_state.ts";
import { ResumeError } from "./mod.ts";

const bytes = (maxLength: number) =>
  fc.uint8Array({ maxLength }) as fc.Arbitrary<Uint8Array<ArrayBuffer>>;
const flow = fc.record({
  pending: bytes(40),
  ended: fc.boolean(),
  finished: fc.boolean(),
}, { noNullPrototype: true });
const connection: fc.Arbitrary<ConnectionState> = fc.record({
  sid: fc.string(),
  index: fc.integer({ min: -1, max: 1000 }),
  target: fc.string(),
  from: fc.option(fc.string(), { nil: undefined }),
  ttlMs: fc.nat(),
  opened: fc.boolean(),
  asked: fc.option(fc.string(), { nil: undefined }),
  out: flow,
  in: flow,
}, { noNullPrototype: true });
const state = fc.record({
  sessions: bytes(40),
  connections: fc.array(connection, { maxLength: 4 }),
}, { noNullPrototype: true });

Deno.test("an end of a tunnel reads back as it was written", () => {
  fc.assert(fc.property(state, (one) => {
    assertEquals(decodeTunnelState(encodeTunnelState(one)), one);
  }));
});

Deno.test("what a predecessor left is refused when it is changed or cut short, and never crashes", () => {
  fc.assert(
    fc.property(
      state,
      fc.nat(),
      fc.nat(255),
      fc.boolean(),
      (one, at, v, cut) => {
        const whole = encodeTunnelState(one);
        const changed = cut ? whole.slice(0, at % whole.length) : whole;
        if (!cut) changed[at % whole.length] = v;
        try {
          decodeTunnelState(changed);
        } catch (error) {
          assert(error instanceof ResumeError);
          assertEquals(error.code, "resume/snapshot");
        }
      },
    ),
    { numRuns: 500 },
  );
  assertThrows(
    () => decodeTunnelState(new TextEncoder().encode("HFTUN1\nx")),
    ResumeError,
    "it is cut short",
  );
});

Deno.test("a successor gets the same arguments, and its own inheritance alone", () => {
  const own = ["run", "-A", "cli.ts", "tunnel", "serve", "--to", "a:1"];
  const first = successorArgs(own, "1,0,0,/tmp/x/state");
  assertEquals(first, [...own, "--successor", "1,0,0,/tmp/x/state"]);
  const second = successorArgs(first, "0,12,7000,/tmp/a,b/state");
  assertEquals(second, [...own, "--successor", "0,12,7000,/tmp/a,b/state"]);
  assertEquals(parseInheritance(second.at(-1)!), {
    listens: false,
    connections: 12,
    port: 7000,
    file: "/tmp/a,b/state",
  });
  assertEquals(parseInheritance("2,1,1,x"), undefined);
});
