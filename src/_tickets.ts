/**
 * One-time keys that a peer gave out through signalling: who comes with one is
 * who asked for it. Time and randomness are passed in.
 */

/** A key that was given to one peer. */
export interface Ticket {
  /** 32 hexadecimal digits; sent in clear. */
  readonly id: string;
  /** 64 hexadecimal digits; never sent but sealed. */
  readonly key: string;
  /** The id of the peer that it was given to. */
  readonly peer: string;
  /** Until when it opens a session, on the clock of `Date.now()`. */
  readonly until: number;
}

const TICKET_TTL_MS = 60_000;
const TICKETS_MAX = 4096;

/** The tickets that may still be used; bounded in number and time. */
export class Tickets {
  readonly #tickets = new Map<string, Ticket>();

  constructor(tickets: readonly Ticket[] = []) {
    for (const ticket of tickets) this.#tickets.set(ticket.id, ticket);
  }

  /** Gives a peer a new one. */
  issue(peer: string, random: Uint8Array, now: number): Ticket {
    for (const [id, old] of this.#tickets) {
      // In the order of issue: the first one that may stay ends the sweep.
      if (old.until > now && this.#tickets.size < TICKETS_MAX) break;
      this.#tickets.delete(id);
    }
    const ticket = {
      id: random.subarray(0, 16).toHex(),
      key: random.subarray(16, 48).toHex(),
      peer,
      until: now + TICKET_TTL_MS,
    };
    this.#tickets.set(ticket.id, ticket);
    return ticket;
  }

  /** The ticket of that id, if it may still be used. */
  find(id: string, now: number): Ticket | undefined {
    const ticket = this.#tickets.get(id);
    return ticket !== undefined && ticket.until > now ? ticket : undefined;
  }

  /** Takes it out, so that it opens one session and no more. */
  redeem(id: string): Ticket | undefined {
    const ticket = this.#tickets.get(id);
    this.#tickets.delete(id);
    return ticket;
  }

  /** All that may still be used. */
  list(now: number): Ticket[] {
    return [...this.#tickets.values()].filter(({ until }) => until > now);
  }
}
