/** The streams of a peer, by who is at the other end and by name. */
import type { ResumableConn, ResumableStats } from "@holdfast/resume";
import type { PeerConnection } from "./peer.ts";

/** One stream. */
export interface Stream extends PeerConnection {
  /** Whether this peer opened it. */
  readonly outgoing: boolean;
}

type Sums = Pick<
  ResumableStats,
  "consumed" | "replayed" | "resumed" | "written"
>;

/** See the module's comment. */
export class Streams {
  readonly #open = new Map<ResumableConn, Stream>();
  readonly #ended = { consumed: 0, replayed: 0, resumed: 0, written: 0 };
  #longestPauseMs = 0;
  connected = 0;
  accepted = 0;
  lost = 0;

  /** Keeps one until it is closed. */
  add(stream: Stream, closed: () => void): void {
    const { conn } = stream;
    this.#open.set(conn, stream);
    if (stream.outgoing) this.connected++;
    else this.accepted++;
    void conn.closed.then(() => {
      const stats = conn.stats();
      addTo(this.#ended, stats);
      this.#longestPauseMs = Math.max(
        this.#longestPauseMs,
        stats.longestPauseMs,
      );
      if (conn.state.name === "lost") this.lost++;
      this.#open.delete(conn);
      closed();
    });
  }

  /** All that are open. */
  list(): Stream[] {
    return [...this.#open.values()];
  }

  /** The open one of that name that the peer opened. */
  incoming(peer: string, name: string): ResumableConn | undefined {
    return this.list().find((stream) =>
      !stream.outgoing && stream.peer === peer && stream.name === name
    )?.conn;
  }

  /** The peers that there are streams with, each once. */
  peers(): string[] {
    return [...new Set(this.list().map(({ peer }) => peer))];
  }

  /** The sums over all streams, open or not. */
  sums(): Sums & Pick<ResumableStats, "longestPauseMs"> {
    const sums = { ...this.#ended };
    let longestPauseMs = this.#longestPauseMs;
    for (const conn of this.#open.keys()) {
      const stats = conn.stats();
      addTo(sums, stats);
      longestPauseMs = Math.max(longestPauseMs, stats.longestPauseMs);
    }
    return { ...sums, longestPauseMs };
  }
}

function addTo(
  sums: { -readonly [key in keyof Sums]: number },
  more: Sums,
): void {
  sums.consumed += more.consumed;
  sums.replayed += more.replayed;
  sums.resumed += more.resumed;
  sums.written += more.written;
}
