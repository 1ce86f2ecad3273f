/** The list of what happened, newest first. */
import type { Note } from "../view.ts";
import { byId, html } from "./dom.ts";
import { clock } from "./format.ts";

const ROWS_MAX = 80;

/** See the module's comment. */
export class Log {
  readonly #list = byId("log");
  #waiting: Note[] = [];

  clear(): void {
    this.#waiting = [];
    this.#list.replaceChildren();
  }

  add(note: Note): void {
    this.#waiting.push(note);
    // A page that nobody sees is not drawn, and must not grow.
    if (this.#waiting.length > ROWS_MAX) this.#waiting.shift();
  }

  /** Puts what is new on top. */
  show(): void {
    if (this.#waiting.length === 0) return;
    const rows = this.#waiting.map(rowOf).reverse();
    this.#waiting = [];
    this.#list.prepend(...rows);
    while (this.#list.children.length > ROWS_MAX) {
      this.#list.lastElementChild!.remove();
    }
  }
}

function rowOf({ at, kind, who, text }: Note): HTMLElement {
  const row = html("li", { "data-kind": kind });
  row.append(
    html("span", { class: "at" }, clock(at)),
    html("span", { class: "who" }, who),
    html("span", { class: "text" }, text),
  );
  return row;
}
