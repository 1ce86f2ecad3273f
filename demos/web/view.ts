/** What the page is told. Both sides know these types, and nothing else of each other. */
import type { Tally } from "./content.ts";

/** One direction of the stream. */
export interface Direction extends Tally {
  /** Written into the stream by the program at its beginning. */
  readonly sent: number;
}

/** A broker and who has it. */
export interface BrokerView {
  readonly port: number;
  readonly pid: number;
  readonly up: boolean;
  /** Whether each program says that it is connected to it. */
  readonly client: boolean;
  readonly server: boolean;
}

/** One of the two programs. */
export interface ProgramView {
  readonly pid: number;
  /** Its peer id. */
  readonly id: string;
  readonly state: "running" | "asleep" | "down";
}

/** How the server process came to its sessions. */
export type Origin = "first" | "handed over" | "from the store";

/** What the page shows of one action. */
export interface ActionView {
  /** Why it cannot be done now; absent when it can. */
  readonly why?: string;
  readonly busy?: true;
}

/** Everything but what has happened. */
export interface View {
  readonly phase: "starting" | "streaming" | "waiting" | "lost";
  /** Why, in a few words; empty while it streams. */
  readonly why: string;
  /** Why the stream is over, in a sentence; absent as long as it is not. */
  readonly over?: string;
  /** Milliseconds since the run began. */
  readonly now: number;
  /** Since when nothing arrives; absent while something does. */
  readonly silentSince?: number;
  readonly client: ProgramView & { readonly address: string };
  readonly server: ProgramView & {
    readonly port: number;
    readonly generation: number;
    readonly origin: Origin;
  };
  readonly link: {
    readonly attached: boolean;
    readonly blocked: boolean;
    /** What refuses the packets, when it is blocked. */
    readonly firewall: "nft" | "proxy";
    readonly port: number;
    /** How many connections the stream has had, this one included. */
    readonly number: number;
  };
  readonly brokers: readonly BrokerView[];
  /** From the client to the server, and back. */
  readonly up: Direction;
  readonly down: Direction;
  /** The longest time for which nothing arrived at one of the two. */
  readonly longestPauseMs: number;
  /** How often a new transport carried on. */
  readonly resumed: number;
  readonly actions: Readonly<Record<string, ActionView>>;
}

/** What has happened. */
export interface Note {
  readonly id: number;
  /** Milliseconds since the run began. */
  readonly at: number;
  readonly kind: "action" | "trouble" | "good" | "news";
  readonly who: "you" | "client" | "server" | "demo";
  readonly text: string;
}

/** Bytes that arrived in a second, in both directions. */
export interface Sample {
  readonly at: number;
  readonly up: number;
  readonly down: number;
}

/** The first thing that a page hears. */
export interface Hello {
  /** Another one after the demo was started again. */
  readonly run: string;
  /** Where the programs run and what that means. */
  readonly place: string;
  readonly view: View;
  readonly notes: readonly Note[];
  readonly samples: readonly Sample[];
}

/** What it hears from then on. */
export interface Update {
  readonly view: View;
  readonly sample: Sample;
}
