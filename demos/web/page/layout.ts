/** Where everything is in the picture: one layout for wide panels, one for narrow ones. Pure. */

/** A rectangle. */
export interface Box {
  readonly x: number;
  readonly y: number;
  readonly w: number;
  readonly h: number;
}

/** A point. */
export type Point = readonly [x: number, y: number];

/** The whole picture. */
export interface Layout {
  readonly width: number;
  readonly height: number;
  readonly client: Box;
  readonly server: Box;
  readonly gate: Box;
  readonly brokers: readonly Box[];
  /** From the client to the server, and beside it the way back. */
  readonly up: readonly [Point, Point];
  readonly down: readonly [Point, Point];
  /** From each program to each broker. */
  readonly clientLines: readonly (readonly [Point, Point])[];
  readonly serverLines: readonly (readonly [Point, Point])[];
}

const LANE = 9;

/** For panels at least 560 pixels wide. */
export const WIDE: Layout = wide();
/** For the others. */
export const NARROW: Layout = narrow();

function wide(): Layout {
  const client = { x: 12, y: 150, w: 204, h: 118 };
  const server = { x: 544, y: 150, w: 204, h: 118 };
  const gate = { x: 310, y: 174, w: 140, h: 70 };
  const brokers = [0, 1, 2].map((i) => ({
    x: 180 + i * 140,
    y: 14,
    w: 120,
    h: 54,
  }));
  const y = gate.y + gate.h / 2;
  const ends = (x: number, spread: number) =>
    brokers.map((broker, i): readonly [Point, Point] => [
      [x + (i - 1) * spread, client.y],
      [broker.x + broker.w / 2, broker.y + broker.h],
    ]);
  return {
    width: 760,
    height: 284,
    client,
    server,
    gate,
    brokers,
    up: [[right(client), y - LANE], [server.x, y - LANE]],
    down: [[server.x, y + LANE], [right(client), y + LANE]],
    clientLines: ends(client.x + client.w * 0.6, 26),
    serverLines: ends(server.x + server.w * 0.4, 26),
  };
}

function narrow(): Layout {
  const client = { x: 8, y: 8, w: 186, h: 118 };
  const server = { x: 8, y: 322, w: 186, h: 118 };
  const gate = { x: 31, y: 190, w: 140, h: 70 };
  const brokers = [0, 1, 2].map((i) => ({
    x: 222,
    y: 88 + i * 108,
    w: 116,
    h: 54,
  }));
  const x = gate.x + gate.w / 2;
  const ends = (y: number, spread: number) =>
    brokers.map((broker, i): readonly [Point, Point] => [
      [right(client), y + (i - 1) * spread],
      [broker.x, broker.y + broker.h / 2],
    ]);
  return {
    width: 344,
    height: 448,
    client,
    server,
    gate,
    brokers,
    up: [[x - LANE, bottom(client)], [x - LANE, server.y]],
    down: [[x + LANE, server.y], [x + LANE, bottom(client)]],
    clientLines: ends(client.y + client.h / 2, 22),
    serverLines: ends(server.y + server.h / 2, 22),
  };
}

function right({ x, w }: Box): number {
  return x + w;
}

function bottom({ y, h }: Box): number {
  return y + h;
}
