/** Shows a run: live on a terminal, as plain lines otherwise, or as JSON. */
import { styleText } from "node:util";

/** How to show it. */
export type Mode = "terminal" | "plain" | "json";

const encoder = new TextEncoder();

/** Where a run is shown. */
export class Screen {
  readonly #mode: Mode;
  readonly #start = performance.now();
  #progress = "";

  constructor(json: boolean) {
    this.#mode = json
      ? "json"
      : Deno.stdout.isTerminal()
      ? "terminal"
      : "plain";
  }

  /** One thing that happened. */
  line(who: string, text: string, data: object): void {
    if (this.#mode === "json") return this.json({ who, ...data });
    const time = ((performance.now() - this.#start) / 1000).toFixed(2).padStart(
      6,
    );
    this.#write(`${this.#dim(time + " s")}  ${this.#colour(who)}  ${text}\n`);
  }

  /** Where the run stands; replaces what it said before. */
  progress(text: string): void {
    if (this.#mode !== "terminal") return;
    this.#progress = text;
    this.#put(`\r\x1b[K${text}`);
  }

  /** The end: the table, or one object. */
  end(rows: readonly (readonly [string, string])[], data: object): void {
    this.#progress = "";
    if (this.#mode === "json") return this.json(data);
    const width = Math.max(...rows.map(([name]) => name.length));
    this.#write("\n");
    for (const [name, value] of rows) {
      this.#write(`  ${name.padEnd(width)}  ${value}\n`);
    }
  }

  json(data: object): void {
    this.#put(JSON.stringify(data) + "\n");
  }

  #write(text: string): void {
    if (this.#mode !== "terminal") return this.#put(text);
    this.#put(`\r\x1b[K${text}${this.#progress}`);
  }

  #put(text: string): void {
    const bytes = encoder.encode(text);
    for (let at = 0; at < bytes.length;) {
      at += Deno.stdout.writeSync(bytes.subarray(at));
    }
  }

  #dim(text: string): string {
    return this.#mode === "terminal"
      ? styleText("gray", text, { validateStream: false })
      : text;
  }

  #colour(who: string): string {
    const name = who.padEnd(7);
    if (this.#mode !== "terminal") return name;
    const colour = who === "demo"
      ? "yellow"
      : who === "client"
      ? "cyan"
      : "green";
    return styleText(colour, name, { validateStream: false });
  }
}
