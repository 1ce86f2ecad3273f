/** What a run comes to: the table at its end. */
import { bytes as bytesText } from "./describe.ts";

/** One file, as it was and as it arrived. */
export interface FilePair {
  readonly sent: { readonly sha256: string; readonly bytes: number };
  readonly received: { readonly sha256: string; readonly bytes: number };
}

/** What became of the notes of one end. */
export interface NoteCount {
  readonly who: string;
  readonly sent: number;
  readonly acknowledged: number;
  readonly received: number;
  readonly duplicates: number;
}

/** What is known at the end of a run. */
export interface Facts {
  readonly up: FilePair;
  readonly down: FilePair;
  /** The harm that was done. */
  readonly steps: readonly string[];
  readonly leftOut: readonly string[];
  readonly pausesMs: readonly number[];
  readonly notes: readonly NoteCount[];
  readonly seconds: number;
}

/** The verdict, as rows to print and as one object. */
export interface Outcome {
  readonly ok: boolean;
  readonly rows: readonly (readonly [string, string])[];
  readonly data: Readonly<Record<string, unknown>>;
}

/** Makes the table. Pure. */
export function summarize(facts: Facts): Outcome {
  const { up, down, notes } = facts;
  const lost = lostBytes(up) + lostBytes(down);
  const duplicated = extraBytes(up) + extraBytes(down);
  const equal = isEqual(up) && isEqual(down);
  const cuts = facts.steps.filter((step) => step === "cut").length;
  const noteDuplicates = sum(notes.map((note) => note.duplicates));
  const noteSent = sum(notes.map((note) => note.sent));
  const noteReceived = sum(notes.map((note) => note.received));
  const notesLost = noteSent - noteReceived;
  const planned = 6 - facts.leftOut.length;
  const ok = equal && lost === 0 && duplicated === 0 && noteDuplicates === 0 &&
    notesLost === 0 && notes.length === 2 && facts.steps.length === planned;
  const longestPauseMs = Math.max(0, ...facts.pausesMs);
  const rows: (readonly [string, string])[] = [
    ["client to server", transferText(up)],
    ["server to client", transferText(down)],
    ["SHA-256 equal", equal ? "yes, both" : "NO"],
    ["connection cuts survived", `${cuts} of 3`],
    ["other harm", facts.steps.filter((step) => step !== "cut").join(", ")],
    ["longest pause", `${Math.round(longestPauseMs)} ms`],
    [
      "signalling messages",
      `${noteReceived} of ${noteSent} while a broker died`,
    ],
    ["duplicates delivered", String(noteDuplicates + duplicated)],
    ["bytes lost", String(lost)],
    ["took", `${facts.seconds.toFixed(1)} s`],
    ["verdict", ok ? "nothing was lost" : "FAILED"],
  ];
  if (facts.leftOut.length > 0) {
    rows.splice(-1, 0, ["left out", facts.leftOut.join(", ")]);
  }
  const data = {
    type: "summary",
    ok,
    sha256Equal: equal,
    bytesLost: lost,
    duplicates: noteDuplicates + duplicated,
    cuts,
    longestPauseMs,
    notesSent: noteSent,
    notesReceived: noteReceived,
    ...facts,
  };
  return { ok, rows, data };
}

function transferText({ sent, received }: FilePair): string {
  return `${bytesText(sent.bytes)} sent, ${
    bytesText(received.bytes)
  } received, SHA-256 ${sent.sha256.slice(0, 12)}… and ${
    received.sha256.slice(0, 12)
  }…`;
}

function isEqual({ sent, received }: FilePair): boolean {
  return sent.bytes === received.bytes && sent.sha256 === received.sha256;
}

function lostBytes({ sent, received }: FilePair): number {
  return Math.max(0, sent.bytes - received.bytes);
}

function extraBytes({ sent, received }: FilePair): number {
  return Math.max(0, received.bytes - sent.bytes);
}

function sum(numbers: readonly number[]): number {
  return numbers.reduce((total, n) => total + n, 0);
}
