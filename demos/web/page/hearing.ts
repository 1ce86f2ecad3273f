/** Listens to the server, and comes back when it was away. */
import type { Hello, Note, Update } from "../view.ts";

const AGAIN_MS = 1_000;

/** What is done with what is heard. */
export interface Hearing {
  hello(hello: Hello): void;
  update(update: Update): void;
  note(note: Note): void;
  /** Where the programs run was found out. */
  place(text: string): void;
  /** The server is gone, in words; or it is back. */
  away(text: string | undefined): void;
}

/** Listens for as long as the page is open. */
export function hear(hearing: Hearing): void {
  let ended = false;
  const source = new EventSource("/events");
  const on = <T>(kind: string, act: (data: T) => void): void =>
    source.addEventListener(kind, ({ data }) => act(JSON.parse(data)));
  on<Hello>("hello", (hello) => {
    ended = false;
    hearing.hello(hello);
  });
  on<Update>("update", (update) => hearing.update(update));
  on<Note>("note", (note) => hearing.note(note));
  on<string>("place", (text) => hearing.place(text));
  on("end", () => {
    ended = true;
    hearing.away(
      `The demo has ended: its server was stopped, and every program with it. Start it again with deno task demo:web --port ${location.port}, and this page comes back by itself.`,
    );
  });
  source.addEventListener("error", () => {
    if (!ended) {
      hearing.away(
        "The demo’s server does not answer: it ended, or this page was cut off. The page comes back by itself.",
      );
    }
    // A browser gives up after some kinds of answer.
    if (source.readyState !== EventSource.CLOSED) return;
    setTimeout(() => hear(hearing), AGAIN_MS);
  });
}
