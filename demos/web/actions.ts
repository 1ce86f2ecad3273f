/**
 * What the buttons do, to real processes and connections. Each says what came
 * of it only after it has seen it, and why not when it did not come about.
 */
import { linkActions } from "./link_actions.ts";
import { processActions } from "./process_actions.ts";
import type { Stage } from "./stage.ts";
import type { ActionView } from "./view.ts";

/** One of them. */
export interface Action {
  /** For the log: what somebody pressed. */
  readonly title: string;
  /** Two with the same one exclude each other. */
  readonly about: string;
  /** Why it makes no sense now. */
  readonly why: () => string | undefined;
  /** Does it; resolves with what was seen, as a sentence. */
  readonly run: () => Promise<string>;
}

/** What became of one. */
export type Outcome =
  | { readonly ok: true; readonly text: string }
  | {
    readonly ok: false;
    readonly reason: "unknown" | "busy" | "senseless" | "failed";
    readonly text: string;
  };

/** All of them, and which are under way. */
export class Actions {
  readonly #stage: Stage;
  readonly #actions: ReadonlyMap<string, Action>;
  readonly #running = new Map<string, string>();

  constructor(stage: Stage) {
    this.#stage = stage;
    this.#actions = new Map([...linkActions(stage), ...processActions(stage)]);
  }

  /** What can be done now. */
  view(): Readonly<Record<string, ActionView>> {
    return Object.fromEntries(
      [...this.#actions].map(([id, action]) => [id, this.#viewOf(id, action)]),
    );
  }

  #viewOf(id: string, { about, why }: Action): ActionView {
    const running = this.#running.get(about);
    if (running === id) return { busy: true };
    const reason = running === undefined
      ? this.#common() ?? why()
      : `"${this.#actions.get(running)!.title}" is under way`;
    return reason === undefined ? {} : { why: reason };
  }

  #common(): string | undefined {
    const { lost } = this.#stage.facts.client;
    return lost === undefined ? undefined : "the stream is over";
  }

  /** Does one. */
  async run(id: string): Promise<Outcome> {
    const action = this.#actions.get(id);
    if (action === undefined) {
      return { ok: false, reason: "unknown", text: `There is no action ${id}` };
    }
    const { about, title } = action;
    const { busy, why } = this.#viewOf(id, action);
    if (busy || this.#running.has(about)) {
      const text = `${title}: wait, ${why ?? "it is under way"}`;
      return { ok: false, reason: "busy", text };
    }
    if (why !== undefined) {
      return { ok: false, reason: "senseless", text: `${title}: no, ${why}` };
    }
    this.#running.set(about, id);
    const { history } = this.#stage;
    history.note("you", "action", title);
    try {
      const text = await action.run();
      history.note("demo", "good", text);
      return { ok: true, text: sentence(text) };
    } catch (error) {
      const text = `${title} failed: ${(error as Error).message}`;
      history.note("demo", "trouble", text);
      return { ok: false, reason: "failed", text: sentence(text) };
    } finally {
      this.#running.delete(about);
    }
  }
}

function sentence(text: string): string {
  return `${text[0]!.toUpperCase()}${text.slice(1)}.`;
}
