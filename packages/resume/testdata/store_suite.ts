/** What every store of sessions must do: one suite over all of them. */
import { assert, assertEquals } from "@std/assert";
import type {
  SessionChange,
  SessionStore,
  StreamCut,
  WrittenFrames,
} from "../store.ts";
import { SendBuffer } from "../_send_buffer.ts";

/** A store to be tested, with a clock that the suite moves. */
export interface Subject {
  readonly name: string;
  /** Opens it, empty; `reopen` gives the same one again, after it was closed. */
  open(now: () => number): Promise<SessionStore>;
  /** Opens what the last one has left; absent where nothing is left. */
  readonly reopen?: (now: () => number) => Promise<SessionStore>;
  readonly close: () => Promise<void>;
  /** Whether time passes only as the suite says. */
  readonly controlsTime: boolean;
}

const SID = "00112233445566778899aabbccddeeff";
const OTHER = "ff112233445566778899aabbccddeeff";
const START_MS = 1_700_000_000_000;

const bytes = (length: number, fill: number) =>
  new Uint8Array(length).fill(fill);

/** Frames as a server would give them. */
export function framesOf(
  from: number,
  payload: Uint8Array,
): readonly WrittenFrames[] {
  const buffer = new SendBuffer(2 ** 30, from);
  buffer.append(payload);
  return buffer.frames(from, from + payload.length);
}

const cutAt = (written: number, consumed: number): StreamCut => ({
  written,
  consumed,
  finQueued: false,
  finRead: false,
  peerClosed: false,
});

/** The tests, for a store of this kind. */
export function storeSuite(subject: Subject): {
  readonly name: string;
  readonly fn: () => Promise<void>;
}[] {
  let now = START_MS;
  let later = START_MS + 60_000;
  const clock = () => subject.controlsTime ? now : Date.now();
  const change = (rest: Partial<SessionChange> = {}): SessionChange => ({
    sid: SID,
    epoch: 1,
    expiresAt: later,
    acked: 0,
    ...rest,
  });
  const fresh = async (store: SessionStore, sid = SID): Promise<void> => {
    const secret = bytes(64, 1);
    await store.create({ sid, secret, keyId: bytes(3, 9), expiresAt: later });
  };
  const claimOf = (from: number, to: number) => ({
    sid: SID,
    from,
    to,
    secret: bytes(64, 2),
    nextSecret: bytes(64, 3),
    expiresAt: later,
  });
  const test = (
    what: string,
    run: (store: SessionStore) => Promise<void>,
  ) => ({
    name: `${subject.name}: ${what}`,
    async fn() {
      now = subject.controlsTime ? START_MS : Date.now();
      later = now + 60_000;
      const store = await subject.open(clock);
      try {
        await run(store);
      } finally {
        await store[Symbol.asyncDispose]();
        await subject.close();
      }
    },
  });
  return [
    test("a session is found as it was made, and made once", async (store) => {
      assertEquals(await store.find(SID), undefined);
      await fresh(store);
      await store.create({
        ...{ sid: SID, secret: bytes(64, 7), keyId: bytes(0, 0) },
        expiresAt: later,
      });
      const head = await store.find(SID);
      assertEquals(head?.epoch, 1);
      assertEquals(head?.secret, bytes(64, 1));
      assertEquals(head?.nextSecret, bytes(0, 0));
      assertEquals(head?.keyId, bytes(3, 9));
      assertEquals(head?.ended, undefined);
    }),
    test("one of two claims of an epoch wins, and the loser changes nothing", async (store) => {
      await fresh(store);
      assertEquals(await store.claim(claimOf(2, 3)), undefined);
      const claims = await Promise.all([
        store.claim(claimOf(1, 2)),
        store.claim({ ...claimOf(1, 5), secret: bytes(64, 8) }),
      ]);
      assertEquals(claims.filter((one) => one !== undefined).length, 1);
      const head = (await store.find(SID))!;
      assertEquals(head.epoch, claims[0] === undefined ? 5 : 2);
      assertEquals(head.secret, bytes(64, claims[0] === undefined ? 8 : 2));
      assertEquals(head.nextSecret, bytes(64, 3));
    }),
    test("what was committed is claimed: cut, output in order, state", async (store) => {
      await fresh(store);
      const first = bytes(100_000, 1);
      const second = bytes(7, 2);
      await store.commit([
        change({
          cut: cutAt(100_000, 5),
          frames: framesOf(0, first),
          appState: bytes(4, 4),
        }),
      ]);
      await store.commit([change({
        cut: { ...cutAt(100_007, 9), finQueued: true, finRead: true },
        frames: framesOf(100_000, second),
      })]);
      const session = (await store.claim(claimOf(1, 2)))!;
      assertEquals(session.cut, {
        ...cutAt(100_007, 9),
        finQueued: true,
        finRead: true,
      });
      const expected = [...framesOf(0, first), ...framesOf(100_000, second)];
      assertEquals(
        session.output.map(({ from, to, frames }) => [from, to, frames]),
        expected.map(({ from, to, frames }) => [from, to, frames.slice()]),
      );
      assertEquals(session.appState, bytes(4, 4));
    }),
    test("what the peer has is forgotten, whole frames at a time", async (store) => {
      await fresh(store);
      for (let i = 0; i < 4; i++) {
        await store.commit([change({
          cut: cutAt(10 * (i + 1), 0),
          frames: framesOf(10 * i, bytes(10, i)),
          acked: i === 3 ? 15 : 0,
        })]);
      }
      const session = (await store.claim(claimOf(1, 2)))!;
      assertEquals(session.output.map(({ from }) => from), [10, 20, 30]);
    }),
    test("an older epoch, or none, is turned away, and the others are kept", async (store) => {
      await fresh(store);
      await fresh(store, OTHER);
      await store.claim(claimOf(1, 2));
      const late = change({
        cut: cutAt(3, 3),
        frames: framesOf(0, bytes(3, 3)),
      });
      assertEquals(
        await store.commit([
          late,
          { ...change({ cut: cutAt(0, 8) }), sid: OTHER },
          { ...change(), sid: "00000000000000000000000000000000" },
        ]),
        [SID, "00000000000000000000000000000000"],
      );
      const session = (await store.claim(claimOf(2, 3)))!;
      assertEquals([session.cut, session.output], [cutAt(0, 0), []]);
      const other = await store.claim({ ...claimOf(1, 2), sid: OTHER });
      assertEquals(other?.cut, cutAt(0, 8));
    }),
    test("a session that ended is known and not claimed; a forgotten one is not known", async (store) => {
      await fresh(store);
      await store.commit([change({
        cut: cutAt(3, 3),
        frames: framesOf(0, bytes(3, 3)),
      })]);
      await store.commit([change({ ended: 12 })]);
      assertEquals((await store.find(SID))?.ended, 12);
      assertEquals(await store.claim(claimOf(1, 2)), undefined);
      await store.commit([change({ ended: "forgotten" })]);
      assertEquals(await store.find(SID), undefined);
    }),
    test("a session expires unless it is recorded anew", async (store) => {
      later = now + 400;
      await fresh(store);
      await fresh(store, OTHER);
      later = now + 60_000;
      await store.commit([change()]);
      if (subject.controlsTime) now += 401;
      else await new Promise((resolve) => setTimeout(resolve, 450));
      assert(await store.find(SID) !== undefined);
      assertEquals(await store.find(OTHER), undefined);
      const claim = { ...claimOf(1, 2), sid: OTHER };
      assertEquals(await store.claim(claim), undefined);
      assertEquals(await store.commit([{ ...change(), sid: OTHER }]), [OTHER]);
    }),
    test("offsets past 2^32 and near 2^53 are kept exactly", async (store) => {
      await fresh(store);
      const high = Number.MAX_SAFE_INTEGER - 20;
      await store.commit([change({
        cut: cutAt(high + 5, 2 ** 33 + 1),
        frames: framesOf(high, bytes(5, 5)),
        acked: high,
      })]);
      const { cut, output } = (await store.claim(claimOf(1, 2)))!;
      assertEquals(cut, cutAt(high + 5, 2 ** 33 + 1));
      assertEquals(output.map(({ from, to }) => [from, to]), [[
        high,
        high + 5,
      ]]);
    }),
    ...(subject.reopen === undefined ? [] : [
      test("what was committed is there when it is opened again", async (store) => {
        await fresh(store);
        await store.commit([change({
          cut: cutAt(3, 1),
          frames: framesOf(0, bytes(3, 3)),
          appState: bytes(2, 2),
        })]);
        await store[Symbol.asyncDispose]();
        const again = await subject.reopen!(clock);
        const session = (await again.claim(claimOf(1, 2)))!;
        assertEquals(session.cut, cutAt(3, 1));
        assertEquals(session.output.length, 1);
        assertEquals(session.appState, bytes(2, 2));
        await again[Symbol.asyncDispose]();
      }),
    ]),
  ];
}
