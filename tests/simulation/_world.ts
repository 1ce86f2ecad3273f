/**
 * The world of `packages/resume/testdata/world.ts`, for simulations. What a
 * package keeps private is no import for others (`tests/tidy_test.ts`), not
 * even for its types: so it is loaded by its place, and what is used of it is
 * named here.
 */

/** All that another process needs to go on with a stream, as far as it is read here. */
export interface State {
  readonly sentMax: number;
  readonly unacked: Uint8Array;
  readonly unread: Uint8Array;
}

export interface Position {
  readonly received: number;
  readonly limit: number;
}

export interface CoreOptions {
  readonly sendMax: number;
  readonly window: number;
  readonly heartbeatMs: number;
  readonly skipReplay?: boolean;
}

/** The stream core, as a session layer uses it. */
export interface Core {
  readonly attached: boolean;
  readonly written: number;
  readonly acked: number;
  readonly arrived: number;
  readonly consumed: number;
  readonly receivedMark: number;
  readonly position: Position;
  readonly limit: number;
  readonly closed: boolean;
  readonly broken: boolean;
  readonly readable: boolean;
  readonly done: boolean;
  readonly resetCode: number | undefined;
  write(bytes: Uint8Array): number;
  read(into: Uint8Array): number | null;
  closeWrite(): void;
  close(): void;
  attach(peer: Position, told: Position, now: number): void;
  detach(): void;
  receive(
    chunk: { bytes: Uint8Array; references: number },
    length: number,
    now: number,
  ): void;
  output(now: number): Uint8Array | undefined;
  export(): State;
}

export interface End {
  readonly core: Core;
  readonly options: CoreOptions;
  readonly side: number;
  readonly read: number;
  readonly eof: boolean;
  readonly closed: boolean;
  readonly over: string | undefined;
}

export interface Link {
  readonly wires: readonly [
    { readonly items: readonly unknown[]; readonly bytes: number },
    { readonly items: readonly unknown[]; readonly bytes: number },
  ];
}

export interface PairOptions {
  readonly ends: readonly [CoreOptions, CoreOptions];
  readonly ttlMs: number;
  readonly socketBytes: number;
  readonly early: boolean;
}

/** A client and a server in a world whose every step is asked for. */
export interface Pair {
  readonly ends: readonly [End, End];
  readonly links: readonly Link[];
  readonly ignored: number;
  readonly resumed: number;
  offline: boolean;
  survivors: (bytes: number) => number;
  write(side: number, n: number): void;
  read(side: number, n: number): void;
  closeWrite(side: number): void;
  close(side: number): void;
  move(side: number, clock: number): void;
  deliver(link: Link, side: number, max?: number): void;
  cut(link: Link, keep: readonly [number, number], told: number): void;
  fence(side: number, hint?: boolean): void;
  dial(): void;
  abandon(): void;
  advance(ms: number): void;
  jump(side: number, ms: number): void;
  check(): void;
  deliverAll(): boolean;
  readonly time: number;
  readonly dueAt: number;
}

interface World {
  readonly StreamCore: new (options: CoreOptions, state?: State) => Core;
  readonly Pair: new (options: PairOptions) => Pair;
  at(side: number, offset: number): number;
  hold(condition: boolean, message: string): void;
}

const place = new URL(
  "../../packages/resume/testdata/world.ts",
  import.meta.url,
);

export const world: World = await import(place.href);
