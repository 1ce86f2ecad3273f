/** The last minute: one direction above the line, the other below, and what happened. */
import type { Note, Sample } from "../view.ts";
import { byId, setAttribute, setText, svg } from "./dom.ts";
import { bytes } from "./format.ts";
import { scaleFor } from "./scale.ts";

const SPAN_MS = 60_000;
const HEIGHT = 212;
/** Above it is the lane of what happened. */
const TOP = 42;
const BOTTOM = 20;
const MIDDLE = (HEIGHT - BOTTOM + TOP) / 2;
const REACH = MIDDLE - TOP;
const MARKS_MAX = 120;
/** Samples, two seconds of them. */
const RECENT = 8;

/** A row for each kind, so that they do not cover each other. */
const ROWS: Readonly<Record<string, number>> = {
  action: 7,
  trouble: 20,
  good: 33,
};
const SHAPES: Readonly<Record<string, string>> = {
  action: "M-5 -5H5L0 5Z",
  trouble: "M0 -5.5L5.5 0L0 5.5L-5.5 0Z",
  good: "M-4 0a4 4 0 1 0 8 0a4 4 0 1 0 -8 0Z",
};

/** See the module's comment. */
export class Chart {
  readonly #svg = byId("chart");
  readonly #samples: Sample[] = [];
  readonly #marks: { readonly note: Note; readonly group: SVGElement }[] = [];
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
      this.#up,
      this.#down,
      this.#marking,
      ...this.#scales,
      this.#from,
      this.#to,
    );
    // Told, and not asked for: asking would make the browser lay out the page.
    new ResizeObserver(([entry]) => {
      this.#width = Math.floor(entry!.contentRect.width);
    }).observe(this.#svg);
  }

  /** The rates of late: of one moment they are restless. */
  recent(): { readonly up: number; readonly down: number } {
    const last = this.#samples.slice(-RECENT);
    const mean = (of: (sample: Sample) => number) =>
      last.reduce((sum, sample) => sum + of(sample), 0) /
      Math.max(1, last.length);
    return { up: mean(({ up }) => up), down: mean(({ down }) => down) };
  }

  clear(): void {
    this.#samples.length = 0;
    this.#marks.length = 0;
    this.#marking.replaceChildren();
  }

  add(sample: Sample): void {
    this.#samples.push(sample);
    // One more than is seen, so that the line comes from outside.
    while (this.#samples[1] && this.#samples[1].at < sample.at - SPAN_MS) {
      this.#samples.shift();
    }
  }

  mark(note: Note): void {
    const shape = SHAPES[note.kind];
    if (shape === undefined) return;
    const group = svg("g", { class: `mark ${note.kind}` });
    group.append(svg("title", {}, note.text), svg("path", { d: shape }));
    if (note.kind === "action") {
      group.append(
        svg("line", {
          x1: 0,
          x2: 0,
          y1: 6,
          y2: HEIGHT - BOTTOM - ROWS["action"]!,
        }),
      );
    }
    this.#marks.push({ note, group });
    this.#marking.append(group);
    if (this.#marks.length > MARKS_MAX) this.#marks.shift()!.group.remove();
  }

  show(now: number): void {
    const width = this.#width;
    if (width === 0) return;
    const x = (at: number) => (width - (now - at) / SPAN_MS * width).toFixed(1);
    this.#frame(width);
    const rates = this.#samples.flatMap(({ up, down }) => [up, down]);
    const scale = scaleFor(rates);
    const height = (rate: number) => Math.min(1, rate / scale) * REACH;
    const area = (of: (sample: Sample) => number) => {
      const [first, last] = [this.#samples[0], this.#samples.at(-1)];
      if (first === undefined || last === undefined) return "";
      const points = this.#samples.map((sample) =>
        `L${x(sample.at)} ${(MIDDLE + of(sample)).toFixed(1)}`
      );
      return `M${x(first.at)} ${MIDDLE}${points.join("")}L${
        x(last.at)
      } ${MIDDLE}Z`;
    };
    setAttribute(this.#up, "d", area(({ up }) => -height(up)));
    setAttribute(this.#down, "d", area(({ down }) => height(down)));
    for (const text of this.#scales) setText(text, `${bytes(scale)}/s`);
    while (this.#marks[0] && this.#marks[0].note.at < now - SPAN_MS) {
      this.#marks.shift()!.group.remove();
    }
    for (const { note, group } of this.#marks) {
      setAttribute(
        group,
        "transform",
        `translate(${x(note.at)} ${ROWS[note.kind]})`,
      );
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
    setAttribute(this.#scales[0]!, "y", String(TOP + 14));
    setAttribute(this.#scales[1]!, "y", String(MIDDLE + REACH - 6));
    for (const text of [this.#from, this.#to]) {
      setAttribute(text, "y", String(HEIGHT - 5));
    }
    setAttribute(this.#to, "x", String(width - 4));
  }
}
