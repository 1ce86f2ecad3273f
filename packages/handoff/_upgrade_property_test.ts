import { assert, assertEquals } from "@std/assert";
import fc from "fast-check";
import type { Message } from "./_frames.ts";
import {
  type PredecessorAction,
  type PredecessorInput,
  stepPredecessor,
} from "./_predecessor.ts";
import {
  stepSuccessor,
  type SuccessorAction,
  type SuccessorInput,
  type SuccessorPhase,
} from "./_successor.ts";
import type { UpgradePhase } from "./upgrade_event.ts";

const cause = "why";
const input: fc.Arbitrary<PredecessorInput> = fc.constantFrom(
  { type: "prepared" },
  { type: "frozen" },
  { type: "sent" },
  { type: "ready" },
  { type: "probed" },
  { type: "probe-failed", cause },
  { type: "go-sent" },
  { type: "bad-bytes", cause },
  { type: "freeze-failed", cause },
  { type: "channel-lost", cause },
  { type: "exited", how: "exit code 1" },
  { type: "refused", reason: "no" },
  { type: "timed-out", cause },
  { type: "aborted", cause },
);

const ORDERLY: readonly PredecessorInput[] = [
  { type: "prepared" },
  { type: "frozen" },
  { type: "sent" },
  { type: "ready" },
  { type: "probed" },
  { type: "go-sent" },
];

Deno.test("property: an upgrade ends once, and says truly whether it froze", () => {
  fc.assert(
    fc.property(
      fc.nat(ORDERLY.length),
      fc.array(input, { maxLength: 12 }),
      (orderly, rest) => {
        let phase: UpgradePhase = "starting";
        const actions: PredecessorAction[] = [];
        for (const next of [...ORDERLY.slice(0, orderly), ...rest]) {
          const before = phase;
          const step = stepPredecessor(phase, next);
          phase = step.phase;
          actions.push(...step.actions);
          if (before === "committed" || before === "rolled-back") {
            assertEquals(step, { phase: before, actions: [] });
          }
        }
        const count = (type: string): number =>
          actions.filter((action) => action.type === type).length;
        const rollBack = actions.find((action) => action.type === "roll-back");
        assert(count("freeze") <= 1);
        assert(count("finish") + count("roll-back") <= 1);
        assertEquals(count("finish") === 1, phase === "committed");
        assertEquals(rollBack !== undefined, phase === "rolled-back");
        if (rollBack !== undefined) {
          assertEquals(rollBack.frozen, count("freeze") === 1);
          assertEquals(
            rollBack.frozen,
            rollBack.code !== "handoff/not-prepared",
          );
        }
        if (phase === "committed") assertEquals(count("send-go"), 1);
      },
    ),
    { numRuns: 500 },
  );
});

/** What may strike between two steps of the two processes. */
const fate = fc.constantFrom(
  "go-on" as const,
  "go-on" as const,
  "go-on" as const,
  "go-on" as const,
  "kill-successor" as const,
  "kill-predecessor" as const,
  "time-out" as const,
  "sicken" as const,
);

/** Both machines, joined by queues, in a world where processes die. */
class World {
  predecessor: UpgradePhase = "starting";
  successor: SuccessorPhase = { name: "loading" };
  predecessorAlive = true;
  successorAlive = true;
  served = false;
  unhealthy = false;
  readonly #toOld: PredecessorInput[] = [];
  readonly #toNew: SuccessorInput[] = [{ type: "ask" }];

  /** Whether there was anything left to do. */
  advance(oldFirst: boolean): boolean {
    const moves = [() => this.#stepOld(), () => this.#stepNew()];
    if (!oldFirst) moves.reverse();
    return moves.some((move) => move());
  }

  killSuccessor(): void {
    if (!this.successorAlive) return;
    this.successorAlive = false;
    this.#toOld.push({ type: "exited", how: "SIGKILL" });
  }

  killPredecessor(): void {
    if (!this.predecessorAlive) return;
    this.predecessorAlive = false;
    this.#toNew.push({ type: "channel-lost" });
  }

  timeOut(): void {
    this.#toOld.push({ type: "timed-out", cause });
  }

  #stepOld(): boolean {
    const next = this.#toOld.shift();
    if (next === undefined || !this.predecessorAlive) return false;
    const { phase, actions } = stepPredecessor(this.predecessor, next);
    this.predecessor = phase;
    for (const action of actions) this.#actOld(action);
    return true;
  }

  #actOld(action: PredecessorAction): void {
    if (action.type === "freeze") this.#toOld.push({ type: "frozen" });
    if (action.type === "send-state") {
      const bytes = new Uint8Array(3);
      const digest = new Uint8Array(32);
      this.#message({ type: "state", length: 3 });
      this.#message({ type: "chunk", bytes });
      this.#message({ type: "end", digest });
      this.#toOld.push({ type: "sent" });
    }
    if (action.type === "probe") {
      const type = this.unhealthy ? "probe-failed" : "probed";
      this.#toOld.push({ type, cause });
    }
    if (action.type === "send-go") {
      this.#message({ type: "go" });
      // A dead process reads nothing: the write may still succeed.
      this.#toOld.push({ type: "go-sent" });
    }
    // SIGKILL works at once, whatever the other side is doing.
    if (action.type === "roll-back") this.successorAlive = false;
  }

  #message(message: Message): void {
    this.#toNew.push({ type: "message", message });
  }

  #stepNew(): boolean {
    const next = this.#toNew.shift();
    if (next === undefined || !this.successorAlive) return false;
    const { phase, actions } = stepSuccessor(this.successor, next, 1000);
    this.successor = phase;
    for (const action of actions) this.#actNew(action);
    return true;
  }

  #actNew(action: SuccessorAction): void {
    if (action.type === "compare") {
      this.#toNew.unshift({ type: "digest", equal: true });
    }
    if (action.type === "deliver") this.#toNew.push({ type: "announce" });
    if (action.type === "serve") this.served = true;
    if (action.type !== "send") return;
    const { type } = action.message;
    if (type === "prepared" || type === "ready") this.#toOld.push({ type });
    if (type === "failed") this.#toOld.push({ type: "refused", reason: "" });
  }
}

Deno.test("property: never two processes that serve, and none only when both died", () => {
  fc.assert(
    fc.property(
      fc.array(fc.tuple(fate, fc.boolean()), { maxLength: 30 }),
      (fates) => {
        const world = new World();
        const serving = (): boolean[] => [
          world.predecessorAlive && world.predecessor !== "committed",
          world.successorAlive && world.successor.name === "serving",
        ];
        const check = (): void => {
          const [old, fresh] = serving();
          // Between "go" and its confirmation the old one still waits, with
          // its listeners paused.
          if (world.predecessor !== "committing") assert(!(old && fresh));
        };
        for (const [what, oldFirst] of fates) {
          if (what === "kill-successor") world.killSuccessor();
          if (what === "kill-predecessor") world.killPredecessor();
          if (what === "time-out") world.timeOut();
          if (what === "sicken") world.unhealthy = true;
          world.advance(oldFirst);
          check();
        }
        while (world.advance(true)) check();
        const [old, fresh] = serving();
        if (world.predecessor === "committed") {
          assert(world.served || !world.successorAlive);
        }
        if (world.predecessorAlive && world.predecessor === "rolled-back") {
          assert(old && !world.successorAlive);
        }
        if (world.predecessorAlive && world.successorAlive) {
          assert(old !== fresh);
        }
      },
    ),
    { numRuns: 2000 },
  );
});

Deno.test("property: a successor meets any message with a step, and serves only after its announcement", () => {
  const anything: fc.Arbitrary<SuccessorInput> = fc.oneof(
    fc.constantFrom<SuccessorInput>(
      { type: "ask" },
      { type: "announce" },
      { type: "digest", equal: true },
      { type: "digest", equal: false },
      { type: "channel-lost" },
    ),
    fc.constantFrom<Message>(
      { type: "prepared" },
      { type: "state", length: 3 },
      { type: "state", length: undefined },
      { type: "state", length: 1001 },
      { type: "chunk", bytes: new Uint8Array(2) },
      { type: "chunk", bytes: new Uint8Array(1) },
      { type: "end", digest: new Uint8Array(32) },
      { type: "go" },
      { type: "failed", reason: "" },
    ).map((message) => ({ type: "message", message }) as const),
  );
  fc.assert(
    fc.property(fc.array(anything, { maxLength: 20 }), (inputs) => {
      let phase: SuccessorPhase = { name: "loading" };
      let room = 0, announced = false, delivered = 0;
      for (const next of inputs) {
        const step = stepSuccessor(phase, next, 1000);
        phase = step.phase;
        for (const action of step.actions) {
          if (action.type === "expect") room = action.length ?? 0;
          // Never more than there is room for.
          if (action.type === "store") {
            assert((room -= action.bytes.byteLength) >= 0);
          }
          if (action.type === "deliver") {
            delivered++;
            assertEquals(room, 0);
          }
          if (action.type === "send" && action.message.type === "ready") {
            announced = true;
          }
          if (action.type === "serve") assert(announced && delivered === 1);
        }
      }
    }),
    { numRuns: 1000 },
  );
});
