/** One random life of a session, wholly determined by its seed. */
import { Random } from "./_random.ts";
import { conclude, outcome } from "./_conclude.ts";
import { type CoreOptions, type Link, type Pair, world } from "./_world.ts";

const HOUR_MS = 3_600_000;

/** What a schedule did, to see that it did something. */
export interface Life {
  readonly resumed: number;
  readonly ignored: number;
  readonly bytes: number;
  /** How the client and the server came to be over. */
  readonly outcome: string;
}

// Tiny ones with each other: a window of one byte takes a round trip a byte.
const SIZES: readonly (readonly [number, number])[] = [
  [1, 8],
  [1, 100],
  [100, 3_000],
  [3_000, 20_000],
];

function endOptions(random: Random, sizes: readonly [number, number]) {
  const size = (): number => random.between(...sizes);
  return { sendMax: size(), window: size(), heartbeatMs: 2_000 };
}

class Schedule {
  readonly pair: Pair;
  readonly #random: Random;
  readonly #ends: readonly [CoreOptions, CoreOptions];
  /** Sides whose program does not read for now. */
  #lazy = 0;
  readonly #steps: ((s: Schedule) => void)[] = [];

  constructor(seed: number, broken: Partial<CoreOptions>) {
    const random = this.#random = new Random(seed);
    const sizes = SIZES[random.below(SIZES.length)]!;
    this.#ends = [endOptions(random, sizes), endOptions(random, sizes)];
    this.pair = new world.Pair({
      ends: [{ ...this.#ends[0], ...broken }, { ...this.#ends[1], ...broken }],
      // Seldom shorter than a night, so that most sleepers come back.
      ttlMs: random.once(8) ? 60_000 : 24 * HOUR_MS,
      socketBytes: random.once(3) ? random.between(1, 200) : 100_000,
      early: random.once(2),
    });
    if (random.once(2)) {
      this.pair.survivors = (bytes) => random.below(bytes + 2);
    }
    // Each life has its own mix: what is too seldom in one is common in others.
    for (const [weight, step] of STEPS) {
      const times = weight * random.below(4);
      for (let i = 0; i < times; i++) this.#steps.push(step);
    }
    this.#steps.push(write, deliver);
  }

  run(): void {
    const random = this.#random;
    const length = random.between(10, 120);
    for (let i = 0; i < length; i++) {
      this.#steps[random.below(this.#steps.length)]!(this);
      if ((i & 15) === 0) this.pair.check();
    }
    this.pair.check();
    conclude(this.pair);
  }

  get random(): Random {
    return this.#random;
  }

  side(): 0 | 1 {
    return this.#random.below(2) as 0 | 1;
  }

  link(): Link | undefined {
    const { links } = this.pair;
    if (links.length === 0) return undefined;
    // Mostly the newest; the others bring what is late.
    return this.#random.once(3)
      ? links[this.#random.below(links.length)]
      : links[links.length - 1];
  }

  amount(side: 0 | 1): number {
    const most = this.#ends[side].sendMax;
    switch (this.#random.below(4)) {
      case 0:
        return 1;
      case 1:
        return Math.min(3 * most, 60_000);
      default:
        return this.#random.between(1, Math.min(most, 4_000));
    }
  }

  lazy(side: number): boolean {
    return (this.#lazy & (1 << side)) !== 0;
  }

  toggleLazy(side: number): void {
    this.#lazy ^= 1 << side;
  }
}

function write(s: Schedule): void {
  const side = s.side();
  s.pair.write(side, s.amount(side));
}

function deliver(s: Schedule): void {
  const link = s.link();
  if (link === undefined) return;
  const side = s.side();
  const torn = s.random.once(3) ? s.random.between(1, 30) : Infinity;
  for (let i = s.random.below(4); i >= 0; i--) s.pair.deliver(link, side, torn);
}

function read(s: Schedule): void {
  const side = s.side();
  if (s.lazy(side)) return;
  s.pair.read(side, s.random.once(2) ? 65_536 : s.amount(side));
}

function cut(s: Schedule): void {
  const link = s.link();
  if (link === undefined) return;
  const keep = (side: 0 | 1): number =>
    s.random.once(3) ? 0 : s.random.below(link.wires[side].bytes + 3);
  s.pair.cut(link, [keep(0), keep(1)], s.random.below(4));
}

function wait(s: Schedule): void {
  s.pair.advance(s.random.once(4) ? 2_500 : s.random.between(1, 60));
}

/** Rows of [how often, what]; a life multiplies each by 0 to 3. */
const STEPS: readonly (readonly [number, (s: Schedule) => void])[] = [
  [12, write],
  [16, deliver],
  [10, read],
  [4, cut],
  [8, wait],
  [2, (s) => s.pair.dial()],
  [2, (s) => s.pair.abandon()],
  [2, (s) => s.pair.fence(s.side(), true)],
  [2, (s) => s.toggleLazy(s.side())],
  [1, (s) => s.pair.closeWrite(s.side())],
  [1, (s) => s.random.once(6) && s.pair.close(s.side())],
  [2, (s) => s.pair.move(s.side(), s.random.below(HOUR_MS) - HOUR_MS / 2)],
  [1, (s) => s.pair.jump(s.side(), s.random.once(2) ? HOUR_MS : 5_000)],
  [1, (s) => s.pair.advance(8 * HOUR_MS)],
  [1, (s) => void (s.pair.offline = !s.pair.offline)],
];

/** Lives one life, with cores that may be broken; throws what does not hold. */
export function live(
  seed: number,
  broken: Partial<CoreOptions> = {},
): Life {
  const schedule = new Schedule(seed, broken);
  schedule.run();
  const { pair } = schedule;
  const [a, b] = pair.ends;
  return {
    resumed: pair.resumed,
    ignored: pair.ignored,
    bytes: a.core.written + b.core.written,
    outcome: outcome(pair),
  };
}
