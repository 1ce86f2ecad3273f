/** The last minute: one direction above the line, the other below, and what happened. */
import type { Note, Sample } from "../view.ts";
import { byId, setAttribute, setText, svg } from "./dom.ts";
import { bytes, roundUp } from "./format.ts";

const SPAN_MS = 60_000;
const HEIGHT = 190;
const TOP = 16;
const BOTTOM = 20;
const MIDDLE = (HEIGHT - BOTTOM + TOP) / 2;
const REACH = MIDDLE - TOP;
const MARKS_MAX = 120;

/** See the module's comment. */
export class Chart {
  readonly #svg = byId("chart");
  readonly #samples: Sample[] = [];
  readonly #marks: { readonly note: Note; readonly line: SVGElement }[] = [];
  readonly #marking = svg("g");
  readonly #up = svg("path", { class: "area up" });
  readonly #down = svg("path", { class: "area down" });
  readonly #grid = [-1, 0, 1].map((i) =>
    svg("line", { class: i === 0 ? "axis" : "grid", x1: 0 })
  );
  readonly #scales = [0, 1].map(() => svg("text", { class: "scale", x: 4 }));
  readonly #from = svg("text", { class: "scale", x: 4 }, "60 s ago");
  readonly #to = svg("text", { class: "scale", "text-anchor": "end" }, "now");
  #width = 0;
  #drawnWidth = 0;

  constructor() {
    this.#svg.append(
      ...this.#grid,
      this.#marking,
      this.#up,
      this.#down,
      ...this.#scales,
      this.#from,
      this.#to,
    );
    new ResizeObserver(([entry]) => {
      this.#width = Math.floor(entry!.contentRect.width);
    }).observe(this.#svg);
  }

  get last(): Sample | undefined {
    return this.#samples.at(-1);
  }

  clear(): void {
    this.#samples.length = 0;
    this.#marks.length = 0;
    this.#marking.replaceChildren();
  }

  add(sample: Sample): void {
    this.#samples.push(sample);
    // One more than is seen, so that the line comes from outside.
    while (this.#samples[1]! && this.#samples[1].at < sample.at - SPAN_MS) {
      this.#samples.shift();
    }
  }

  mark(note: Note): void {
    if (note.kind === "news") return;
    const line = svg("line", { class: `mark ${note.kind}` });
    this.#marks.push({ note, line });
    this.#marking.append(line);
    if (this.#marks.length > MARKS_MAX) this.#marks.shift()!.line.remove();
  }

  show(now: number): void {
    const width = this.#width;
    if (width === 0) return;
    const x = (at: number) => width - (now - at) / SPAN_MS * width;
    this.#frame(width);
    const most = Math.max(
      1,
      ...this.#samples.flatMap(({ up, down }) => [up, down]),
    );
    const scale = roundUp(most);
    const y = (rate: number) => rate / scale * REACH;
    const area = (of: (sample: Sample) => number) => {
      const points = this.#samples.map((sample) =>
        `${x(sample.at).toFixed(1)} ${(MIDDLE + of(sample)).toFixed(1)}`
      );
      const first = this.#samples[0];
      const last = this.#samples.at(-1);
      if (first === undefined || last === undefined) return "";
      return `M${x(first.at).toFixed(1)} ${MIDDLE}L${points.join("L")}L${
        x(last.at).toFixed(1)
      } ${MIDDLE}Z`;
    };
    setAttribute(this.#up, "d", area(({ up }) => -y(up)));
    setAttribute(this.#down, "d", area(({ down }) => y(down)));
    for (const text of this.#scales) setText(text, `${bytes(scale)}/s`);
    this.#placeMarks(now, x);
  }

  #placeMarks(now: number, x: (at: number) => number): void {
    while (this.#marks[0] && this.#marks[0].note.at < now - SPAN_MS) {
      this.#marks.shift()!.line.remove();
    }
    for (const { note, line } of this.#marks) {
      const at = x(note.at).toFixed(1);
      setAttribute(line, "x1", at);
      setAttribute(line, "x2", at);
      setAttribute(line, "y1", note.kind === "action" ? "0" : String(TOP));
      setAttribute(line, "y2", String(HEIGHT - BOTTOM));
    }
  }

  #frame(width: number): void {
    if (width === this.#drawnWidth) return;
    this.#drawnWidth = width;
    setAttribute(this.#svg, "viewBox", `0 0 ${width} ${HEIGHT}`);
    this.#grid.forEach((line, i) => {
      const y = String(MIDDLE + (i - 1) * REACH);
      setAttribute(line, "x2", String(width));
      setAttribute(line, "y1", y);
      setAttribute(line, "y2", y);
    });
    setAttribute(this.#scales[0]!, "y", String(TOP - 4));
    setAttribute(this.#scales[1]!, "y", String(MIDDLE + REACH - 5));
    for (const text of [this.#from, this.#to]) {
      setAttribute(text, "y", String(HEIGHT - 5));
    }
    setAttribute(this.#to, "x", String(width - 4));
  }
}
