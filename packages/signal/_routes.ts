import type { LinkStanding } from "./_broker_pool.ts";
import type { Bytes } from "./_bytes.ts";
import type { Content } from "./_content.ts";
import { floorOf, type Lane } from "./_lanes.ts";
import type { OutboxAction } from "./_outbox_types.ts";
import { widthAfter } from "./_ranking.ts";
import { choose, type Way } from "./_route_health.ts";
import type { Session } from "./_sessions.ts";
import { SignalError } from "./errors.ts";

/** Something on its way to a peer. */
export interface Letter {
  readonly lane: Lane;
  readonly sequence: number;
  readonly content: Content;
  readonly messages: number;
  readonly sentAt: number;
  readonly settle: (failure?: { readonly reason: unknown }) => void;
  /** Sealed once in each session. */
  sealed?: { readonly session: Session; readonly frame: Promise<Bytes> };
  /** The brokers that have it, in this round. */
  readonly used: Set<string>;
  publishedAt: number;
  copies: number;
}

/** By which brokers to send to a peer. */
export class Routes {
  readonly #homes: number;
  readonly #standing: (broker: string) => LinkStanding;

  /** `homes`: how many of a peer's brokers to try at first. */
  constructor(homes: number, standing: (broker: string) => LinkStanding) {
    this.#homes = homes;
    this.#standing = standing;
  }

  /** The peer's brokers that are walked by now: more and more, without it. */
  walk(lane: Lane, now: number): readonly string[] {
    const elapsedMs = Math.max(0, now - lane.waitingSince);
    const width = widthAfter(elapsedMs, this.#homes, lane.ranked.length);
    return lane.ranked.slice(0, width);
  }

  /** Whether there is a connection to a broker now. */
  isUp(broker: string): boolean {
    return this.#standing(broker).up;
  }

  /** Those of them that are up, best first. */
  best(lane: Lane, now: number): string[] {
    const ways = this.walk(lane, now).map((broker): Way => {
      const { up, suspect, fresh } = this.#standing(broker);
      // The peer may not be back on it yet.
      const doubtful = suspect || fresh || lane.health.isAvoided(broker, now);
      return { broker, up, doubtful };
    });
    return choose(ways);
  }

  /** The brokers to try in this order. */
  choose(
    { lane, used }: Letter,
    to: (OutboxAction & { readonly type: "publish" })["to"],
  ): string[] {
    const best = this.best(lane, performance.now());
    if (to === "all") return best;
    if (to !== "one") return best.filter((broker) => broker === to.broker);
    return best.filter((broker) => !used.has(broker));
  }

  /** Why a message could not be delivered in its time. */
  failure({ lane, copies, sentAt }: Letter, now: number): SignalError {
    const anyUp = lane.ranked.some((broker) => this.#standing(broker).up);
    const [why, fix] = copies > 0
      ? ["it did not acknowledge", "see that it runs and shares a broker"]
      : anyUp
      ? ["it did not answer", "see that it runs and shares a broker"]
      : ["no broker could be reached", "look at state.brokers"];
    return new SignalError(
      copies === 0 && !anyUp ? "signal/no-broker" : "signal/unacknowledged",
      `Cannot deliver to "${lane.peer}": ${why} within ${
        Math.round(now - sentAt)
      } ms: ${fix}`,
      { cause: new DOMException("The time is over", "TimeoutError") },
    );
  }
}

/** An ordered content with the floor of this moment. */
export function withFloor(content: Content, lane: Lane): Content {
  if (content.type !== "ordered") return content;
  return { ...content, floor: Math.min(content.place, floorOf(lane)) };
}
