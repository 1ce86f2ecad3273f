import { assert, assertEquals, assertThrows } from "@std/assert";
import { runs } from "@holdfast/testkit";
import fc from "fast-check";
import {
  RECEIVER_START,
  type ReceiverInput,
  type ReceiverState,
  stepReceiver,
} from "./_receiver_core.ts";
import {
  SENDER_START,
  type SenderInput,
  type SenderState,
  stepSender,
} from "./_sender_core.ts";
import { SOCKET_KINDS } from "./_socket_kind.ts";
import {
  encodeFrame,
  type Frame,
  FrameDecoder,
  type FrameType,
  HEADER_BYTES,
  parseSockets,
} from "./_transfer_frame.ts";
import { HandoffError } from "./error.ts";

const types: FrameType[] = [
  "hello",
  "welcome",
  "sockets",
  "taken",
  "refused",
  "cancel",
  "ask",
];

Deno.test("property: frames are read back however the bytes are cut", () => {
  const frame = fc.record({
    type: fc.constantFrom(...types),
    descriptors: fc.nat(253),
    json: fc.option(fc.jsonValue({ maxDepth: 2 }), { nil: undefined }),
    tail: fc.uint8Array({ maxLength: 300 }),
  });
  fc.assert(fc.property(
    fc.array(frame, { maxLength: 6 }),
    fc.array(fc.integer({ min: 1, max: 40 }), { minLength: 1 }),
    (frames, cuts) => {
      const bytes: number[] = [];
      for (const { type, descriptors, json, tail } of frames) {
        bytes.push(...encodeFrame(type, { descriptors, json, tail: [tail] }));
      }
      const decoder = new FrameDecoder(300);
      const got: Frame[] = [];
      for (let at = 0, i = 0; at < bytes.length; i++) {
        const size = cuts[i % cuts.length]!;
        got.push(...decoder.push(new Uint8Array(bytes.slice(at, at + size))));
        at += size;
      }
      assertEquals(decoder.partial, false);
      assertEquals(got.length, frames.length);
      got.forEach((one, i) => {
        const { type, descriptors, json, tail } = frames[i]!;
        assertEquals([one.type, one.descriptors], [type, descriptors]);
        assertEquals(one.tail, tail);
        const text = new TextDecoder().decode(one.json);
        assertEquals(text, json === undefined ? "" : JSON.stringify(json));
      });
    },
  ));
});

Deno.test("property: any bytes give frames or handoff/bad-bytes, within bounds", () => {
  const start = fc.constantFrom([], [0x48, 0x46, 0x53, 1], [0x48, 0x46, 0x53]);
  fc.assert(
    fc.property(
      start,
      fc.uint8Array({ maxLength: 80 }),
      (head, rest) => {
        try {
          const frames = new FrameDecoder(1000)
            .push(new Uint8Array([...head, ...rest]));
          for (const frame of frames) {
            assert(frame.tail.byteLength <= 1000);
            if (frame.type === "sockets") parseSockets(frame);
          }
        } catch (error) {
          assert(error instanceof HandoffError, String(error));
          assertEquals(error.code, "handoff/bad-bytes");
        }
      },
    ),
    { numRuns: runs(2000) },
  );
});

Deno.test("a sockets frame describes each descriptor and all unread bytes", () => {
  const decode = (json: unknown, descriptors: number, tail = 0): Frame =>
    new FrameDecoder(100).push(
      encodeFrame("sockets", {
        descriptors,
        json,
        tail: [new Uint8Array(tail)],
      }),
    )[0]!;
  const note = { kind: SOCKET_KINDS[0], local: "a", remote: "b", unread: 3 };
  const right = parseSockets(decode({ sockets: [note], meta: 7 }, 1, 3));
  assertEquals(right, { sockets: [note as never], meta: 7 });
  for (
    const [json, descriptors, tail] of [
      [{ sockets: [note] }, 2, 3],
      [{ sockets: [note] }, 1, 4],
      [{ sockets: [{ ...note, kind: "shark" }] }, 1, 3],
      [{ sockets: [{ ...note, unread: -1 }] }, 1, 3],
      [{ sockets: [null] }, 1, 0],
      [null, 1, 0],
      [undefined, 1, 0],
    ] as const
  ) {
    assertThrows(
      () => parseSockets(decode(json, descriptors, tail)),
      HandoffError,
    );
  }
  assertEquals(HEADER_BYTES, encodeFrame("taken").byteLength);
});

/**
 * Two ends and the kernel between them. Each socket has the set of those who
 * hold it; whatever is done, in whatever order, ends with one holder.
 */
class World {
  sender: SenderState = { ...SENDER_START, phase: "open" };
  receiver: ReceiverState = { ...RECEIVER_START, phase: "open" };
  alive = { sender: true, receiver: true };
  readonly down: ReceiverInput[] = [];
  readonly up: SenderInput[] = [];
  /** Whether the receiver can still write: not after the sender shut down. */
  upOpen = true;
  downEnded = false;
  lastId = 0;
  readonly holders = new Map<number, Set<string>>();
  readonly uncertain = new Set<number>();

  send(): void {
    if (!this.alive.sender || this.sender.phase !== "open") return;
    const id = ++this.lastId;
    this.holders.set(id, new Set(["sender"]));
    if (this.alive.receiver) {
      this.down.push({ type: "sockets", id, trouble: null });
    }
    this.toSender({ type: "written", frame: { id, descriptors: 1 } });
  }

  giveUp(): void {
    if (this.alive.sender) this.toSender({ type: "give-up", why: "" });
  }

  /** The receiver reads one thing. */
  receive(): void {
    if (!this.alive.receiver) return;
    const input = this.down.shift() ??
      (this.downEnded ? { type: "ended" } as const : undefined);
    if (input !== undefined) this.toReceiver(input);
  }

  /** The sender reads one answer. */
  answer(): void {
    if (!this.alive.sender) return;
    const input = this.up.shift() ??
      (this.alive.receiver && this.receiver.phase !== "closed"
        ? undefined
        : { type: "ended" } as const);
    if (input !== undefined) this.toSender(input);
  }

  killSender(): void {
    if (!this.alive.sender) return;
    this.alive.sender = false;
    this.downEnded = true;
    this.upOpen = false;
    for (const [id, who] of this.holders) {
      who.delete("sender");
      // What is still in the kernel's queue is held by nobody but it.
      const queued = this.down.some((one) =>
        one.type === "sockets" && one.id === id
      );
      if (queued && this.alive.receiver) who.add("kernel");
    }
  }

  killReceiver(): void {
    this.alive.receiver = false;
    this.upOpen = false;
    for (const who of this.holders.values()) {
      // The kernel's queue goes with the only one who could read it.
      for (const one of ["kernel", "receiver", "program"]) who.delete(one);
    }
  }

  toSender(input: SenderInput): void {
    const { state, actions } = stepSender(this.sender, input);
    this.sender = state;
    for (const action of actions) {
      if (action.type === "sent") {
        this.holders.get(action.id)!.delete("sender");
      } else if (action.type === "kept") {
        if (action.uncertain) this.uncertain.add(action.id);
      } else if (action.type === "cancel") {
        this.down.push({ type: "cancel" });
        this.downEnded = true;
        this.upOpen = false;
        for (const answer of this.up.splice(0)) this.toSender(answer);
        this.toSender({ type: "ended" });
      } else {
        this.downEnded = true;
        this.upOpen = false;
      }
    }
  }

  toReceiver(input: ReceiverInput): void {
    if (input.type === "sockets") {
      const who = this.holders.get(input.id)!;
      who.delete("kernel");
      who.add("receiver");
    }
    const { state, actions } = stepReceiver(this.receiver, input);
    this.receiver = state;
    for (const action of actions) {
      if (action.type === "acknowledge") {
        if (this.upOpen) {
          this.up.push({ type: "taken", descriptors: 1 });
          this.toReceiver({ type: "acknowledged" });
        } else this.toReceiver({ type: "acknowledging-failed" });
      } else if (action.type === "deliver") {
        const who = this.holders.get(action.id)!;
        who.delete("receiver");
        who.add("program");
      } else if (action.type === "discard") {
        this.holders.get(action.id)!.delete("receiver");
      }
    }
  }
}

Deno.test("property: a socket has one owner at the end, whoever dies or gives up when", () => {
  const steps = fc.array(
    fc.constantFrom(
      "send",
      "send",
      "receive",
      "receive",
      "answer",
      "answer",
      "giveUp",
      "killSender",
      "killReceiver",
    ),
    { maxLength: 40 },
  );
  fc.assert(
    fc.property(steps, (todo) => {
      const world = new World();
      for (const step of todo) {
        world[step as "send"]();
        // At no moment two that use it: the sender's program has it back only
        // after "kept", the receiver's after "deliver".
      }
      // Then everything runs out.
      world.giveUp();
      for (let i = 0; i < 100; i++) {
        world.receive();
        world.answer();
      }
      for (const [id, who] of world.holders) {
        const names = [...who].join("+");
        if (world.alive.sender && world.alive.receiver) {
          assert(["sender", "program"].includes(names), `${id}: ${names}`);
        } else if (world.alive.receiver) {
          // The sender is dead: whatever reached the kernel is the receiver's,
          // unless the sender had taken it back before it died.
          assert(["program", ""].includes(names), `${id}: ${names}`);
        } else {
          assert(["sender", ""].includes(names), `${id}: ${names}`);
        }
      }
      assertEquals(world.uncertain.size, 0);
    }),
    { numRuns: runs(3000) },
  );
});

Deno.test("property: a listener whose sender is killed is never lost on the way", () => {
  fc.assert(fc.property(fc.nat(5), fc.nat(5), (before, after) => {
    const world = new World();
    for (let i = 0; i < before; i++) world.send();
    for (let i = 0; i < after; i++) world.receive();
    world.killSender();
    for (let i = 0; i < 20; i++) world.receive();
    for (const who of world.holders.values()) {
      assertEquals([...who], ["program"]);
    }
  }));
});

Deno.test("property: the cores stand any input in any order", () => {
  const id = fc.nat(3);
  const senderInput: fc.Arbitrary<SenderInput> = fc.oneof(
    fc.constant({ type: "welcome" } as const),
    id.map((n) => ({
      type: "written" as const,
      frame: { id: n, descriptors: 1 },
    })),
    id.map((descriptors) => ({ type: "taken" as const, descriptors })),
    fc.constant({ type: "refused", code: "c", reason: "r" } as const),
    fc.constant({ type: "give-up", why: "" } as const),
    fc.constant({ type: "cancel-failed" } as const),
    fc.constant({ type: "bad-bytes", why: "" } as const),
    fc.constant({ type: "ended" } as const),
  );
  fc.assert(fc.property(fc.array(senderInput), (inputs) => {
    let state: SenderState = SENDER_START;
    let written = 0, settled = 0;
    for (const input of inputs) {
      if (input.type === "written") written++;
      const step = stepSender(state, input);
      state = step.state;
      settled += step.actions.filter(({ type }) =>
        type === "sent" || type === "kept"
      ).length;
    }
    assertEquals(settled + state.inFlight.length, written);
  }));
  const receiverInput: fc.Arbitrary<ReceiverInput> = fc.oneof(
    fc.boolean().map((trusted) => ({ type: "hello" as const, trusted })),
    fc.boolean().map((bad) => ({
      type: "sockets" as const,
      id: 0,
      trouble: bad ? { code: "c", reason: "r" } : null,
    })),
    fc.constantFrom<ReceiverInput>(
      { type: "cancel" },
      { type: "other", what: "x" },
      { type: "acknowledged" },
      { type: "acknowledging-failed" },
      { type: "ended" },
      { type: "too-slow" },
    ),
  );
  fc.assert(fc.property(fc.array(receiverInput), (inputs) => {
    let state: ReceiverState = RECEIVER_START;
    let came = 0, done = 0, welcomed = false;
    for (const [index, input] of inputs.entries()) {
      const one = input.type === "sockets" ? { ...input, id: index } : input;
      if (one.type === "sockets") came++;
      const step = stepReceiver(state, one);
      state = step.state;
      for (const { type } of step.actions) {
        if (type === "welcome") welcomed = true;
        if (type === "deliver") assert(welcomed, "before the token was seen");
        if (type === "deliver" || type === "discard") done++;
      }
    }
    assertEquals(done + state.pending.length, came);
  }));
});
