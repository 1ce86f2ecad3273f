/** Many idle connections: what one costs. */
import type { ResumableConn } from "@holdfast/resume";
import {
  type ByteConn,
  type ByteListener,
  byteSide,
  ours,
} from "./byte_sides.ts";
import { type HeapUse, heapUse } from "./heap.ts";
import type { Handlers } from "./main.ts";

// No pings while it is measured: an idle moment is what is meant.
const HEARTBEAT_MS = 60_000;
const OPENING_AT_ONCE = 32;

/** See the module's comment. */
export function handlers(name: string): Handlers {
  const side = name === "ours"
    ? ours({ heartbeatMs: HEARTBEAT_MS })
    : byteSide(name);
  const held: ByteConn[] = [];
  let listener: ByteListener;
  // Everybody waits for something: that is what idle connections do.
  const into = new Uint8Array(1);
  const hold = (conn: ByteConn): void => {
    held.push(conn);
    conn.read(into).catch(() => {});
  };
  return {
    listen(): number {
      listener = side.listen(false);
      return listener.port;
    },
    async take({ count }: { count: number }): Promise<void> {
      for (let i = 0; i < count; i++) hold(await listener.accept());
    },
    async open(
      { port, count }: { port: number; count: number },
    ): Promise<void> {
      let left = count;
      await Promise.all(
        Array.from({ length: OPENING_AT_ONCE }, async () => {
          while (left-- > 0) hold(await side.connect(port, false));
        }),
      );
    },
    heap: (): Promise<HeapUse> => heapUse(),
    /** How many sessions have no transport. */
    detached: (): number =>
      held.filter((conn) => (conn as ResumableConn).state.name === "detached")
        .length,
  };
}
