import { assertEquals, assertThrows } from "@std/assert";
import fc from "fast-check";
import { ResumeError } from "./mod.ts";
import {
  decodeSnapshot,
  encodeSnapshot,
  type SessionSnapshot,
} from "./snapshot.ts";

const bytes = (minLength: number, maxLength = minLength) =>
  fc.uint8Array({ minLength, maxLength }) as fc.Arbitrary<
    Uint8Array<ArrayBuffer>
  >;
const session: fc.Arbitrary<SessionSnapshot> = fc.record({
  sid: bytes(16),
  secret: bytes(64),
  nextSecret: fc.oneof(bytes(0), bytes(64)),
  keyId: bytes(0, 255),
  epoch: fc.maxSafeNat(),
  halfOpen: fc.boolean(),
  core: fc.record({
    acked: fc.maxSafeNat(),
    sentMax: fc.maxSafeNat(),
    unacked: bytes(0, 50),
    finQueued: fc.boolean(),
    received: fc.maxSafeNat(),
    unread: bytes(0, 50),
    finReceived: fc.boolean(),
    peerClosed: fc.boolean(),
  }),
}, { noNullPrototype: true });

Deno.test("sessions read back as they were written", () => {
  fc.assert(fc.property(fc.array(session, { maxLength: 4 }), (sessions) => {
    assertEquals(
      decodeSnapshot(encodeSnapshot(sessions)),
      structuredClone(sessions),
    );
  }));
});

Deno.test("a changed or shortened snapshot is a typed error or other content, never a crash", () => {
  fc.assert(
    fc.property(
      fc.array(session, { minLength: 1, maxLength: 2 }),
      fc.nat(),
      fc.integer({ min: 0, max: 255 }),
      fc.boolean(),
      (sessions, at, value, cut) => {
        const whole = encodeSnapshot(sessions);
        const changed = cut ? whole.slice(0, at % whole.length) : whole;
        if (!cut) changed[at % whole.length] = value;
        try {
          decodeSnapshot(changed);
        } catch (error) {
          if (!(error instanceof ResumeError)) throw error;
          assertEquals(error.code, "resume/snapshot");
        }
      },
    ),
    { numRuns: 500 },
  );
});

Deno.test("other bytes are refused in one sentence", () => {
  assertThrows(
    () => decodeSnapshot(new TextEncoder().encode("something else")),
    ResumeError,
    "Cannot restore sessions: the snapshot is not usable: it does not begin with its mark",
  );
});
