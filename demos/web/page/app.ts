/** The page: hears what is, and shows it once a frame. */
import type { Hello, Note, Update, View } from "../view.ts";
import { Chart } from "./chart.ts";
import { Controls } from "./controls.ts";
import { showCounters } from "./counters.ts";
import { byId, setData, setText } from "./dom.ts";
import { duration } from "./format.ts";
import { hear } from "./hearing.ts";
import { Log } from "./log.ts";
import { Topology } from "./topology.ts";

const PHASES: Readonly<Record<View["phase"], string>> = {
  starting: "Starting",
  streaming: "Streaming",
  waiting: "Waiting",
  lost: "Lost",
};

const token = document.querySelector<HTMLMetaElement>(
  "meta[name=demo-token]",
)!.content;
const controls = new Controls(token);
const topology = new Topology();
const chart = new Chart();
const log = new Log();
let view: View | undefined;
let run: string | undefined;
let drawing = false;
/** Where the server is, while it is away. */
let gone: string | undefined;

/** Draws in the next frame, however much is heard until then. */
function draw(): void {
  if (drawing) return;
  drawing = true;
  requestAnimationFrame(() => {
    drawing = false;
    if (view === undefined) return;
    showPhase(view);
    showBanner();
    showCounters(view, chart.recent());
    controls.show(view);
    topology.show(view);
    chart.show(view.now);
    log.show();
  });
}

function showPhase({ phase, why, silentSince, now }: View): void {
  if (controls.away) {
    setData(byId("phase"), "phase", "away");
    return setText(byId("phase-text"), "The demo’s server is away");
  }
  setData(byId("phase"), "phase", phase);
  const since = silentSince === undefined || phase !== "waiting"
    ? ""
    : `, for ${duration(now - silentSince)}`;
  const text = why === "" ? PHASES[phase] : `${PHASES[phase]}: ${why}${since}`;
  setText(byId("phase-text"), text);
}

function away(text: string | undefined): void {
  gone = text;
  setData(document.body, "away", text === undefined ? "no" : "yes");
  controls.away = text !== undefined;
  showBanner();
  draw();
}

/** What is wrong with the whole of it, if something is. */
function showBanner(): void {
  const element = byId("away");
  const text = gone ??
    (view?.over === undefined ? undefined : `The stream is over: ${view.over}`);
  if (element.hidden !== (text === undefined)) {
    element.hidden = text === undefined;
  }
  setText(element, text ?? "");
}

function take(note: Note): void {
  chart.mark(note);
  log.add(note);
}

hear({
  hello(hello: Hello): void {
    // Another run has another token, and knows nothing of what is shown here.
    if (run !== undefined && run !== hello.run) return location.reload();
    run = hello.run;
    ({ view } = hello);
    setText(byId("place"), hello.place);
    chart.clear();
    log.clear();
    for (const sample of hello.samples) chart.add(sample);
    for (const note of hello.notes) take(note);
    away(undefined);
  },
  update(update: Update): void {
    ({ view } = update);
    chart.add(update.sample);
    draw();
  },
  place: (text: string): void => setText(byId("place"), text),
  note(note: Note): void {
    take(note);
    draw();
  },
  away,
});
new ResizeObserver(draw).observe(document.body);
