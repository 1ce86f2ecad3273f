/**
 * Gives what happens to a peer or a server to OpenTelemetry: counters, times
 * and spans. Deno has it built in: with `OTEL_DENO=true` in the environment it
 * sends them by OTLP, and without it nothing is done.
 *
 * ```ts
 * import { connect, serve } from "@holdfast/holdfast";
 * import { instrument } from "@holdfast/holdfast/otel";
 *
 * await using server = await serve((conn) => conn.readable.pipeTo(conn.writable));
 * using _telemetry = instrument(server);
 * const conn = await connect(server.addr as Deno.NetAddr, { network: false });
 * await conn[Symbol.asyncDispose]();
 * ```
 *
 * | name                         | kind            | says                                                     |
 * | ---------------------------- | --------------- | -------------------------------------------------------- |
 * | `holdfast.events`            | counter         | events, by `part`, `type`, and `reason` where it is a word |
 * | `holdfast.streams`           | up-down counter | streams that are open                                    |
 * | `holdfast.stream.pause`      | histogram, s    | how long a stream had no connection                      |
 * | `holdfast.stream.replayed`   | counter, By     | bytes that were sent again                               |
 * | `holdfast.signalling.acknowledged` | histogram, s | from `send` to the peer's acknowledgement            |
 * | `holdfast.written`, `holdfast.read` | observable counter, By | bytes of all streams of a peer           |
 * | `holdfast.pause`             | span            | from the loss of a connection until the next one         |
 *
 * @module
 */
import type { EventLike, Events, ListenOptions } from "@holdfast/events";

/** Attributes of a measurement or a span. */
export type Attributes = Record<string, string | number | boolean>;

/** An instrument that is added to. */
export interface AddInstrument {
  /** Adds to it. */
  add(value: number, attributes?: Attributes): void;
}

/** An instrument that takes single values. */
export interface RecordInstrument {
  /** Takes one. */
  record(value: number, attributes?: Attributes): void;
}

/** Where an instrument puts what it is asked for. */
export interface ObservedResult {
  /** Puts one value. */
  observe(value: number, attributes?: Attributes): void;
}

/** An instrument that is asked when its value is wanted. */
export interface ObservedInstrument {
  /** Asks this from now on. */
  addCallback(callback: (result: ObservedResult) => void): void;
  /** And no more. */
  removeCallback(callback: (result: ObservedResult) => void): void;
}

/** How an instrument is described. */
export interface InstrumentOptions {
  /** What it measures, in words. */
  readonly description?: string;
  /** In which unit, by UCUM. */
  readonly unit?: string;
}

/** What is used of a `Meter` of `@opentelemetry/api`. */
export interface MeterLike {
  /** Makes a counter. */
  createCounter(name: string, options?: InstrumentOptions): AddInstrument;
  /** Makes a counter that also goes down. */
  createUpDownCounter(name: string, options?: InstrumentOptions): AddInstrument;
  /** Makes a histogram. */
  createHistogram(name: string, options?: InstrumentOptions): RecordInstrument;
  /** Makes a counter that is asked. */
  createObservableCounter(
    name: string,
    options?: InstrumentOptions,
  ): ObservedInstrument;
}

/** What is used of a `Span` of `@opentelemetry/api`. */
export interface SpanLike {
  /** Says more about it. */
  setAttributes(attributes: Attributes): unknown;
  /** Says how it went; code 2 is an error. */
  setStatus(
    status: { readonly code: number; readonly message?: string },
  ): unknown;
  /** It is over. */
  end(): void;
}

/** What is used of a `Tracer` of `@opentelemetry/api`. */
export interface TracerLike {
  /** Begins a span. */
  startSpan(
    name: string,
    options?: { readonly attributes?: Attributes },
  ): SpanLike;
}

/** Options for {@linkcode instrument}. */
export interface InstrumentAllOptions extends ListenOptions {
  /**
   * Makes the instruments.
   *
   * @default {that of Deno}
   */
  readonly meter?: MeterLike | undefined;
  /**
   * Makes the spans.
   *
   * @default {that of Deno}
   */
  readonly tracer?: TracerLike | undefined;
}

const SCOPE = "@holdfast/holdfast";
const ERROR = 2;
// Past it the oldest span is ended: its stream never told how it went on.
const SPANS_MAX = 1024;

/** Any event of any part, as far as it is looked at. */
type AnyEvent = EventLike & {
  readonly event?: AnyEvent;
  readonly sid?: string;
  readonly reason?: unknown;
  readonly pauseMs?: number;
  readonly elapsedMs?: number;
  readonly replayedBytes?: number;
  readonly error?: unknown;
};

/**
 * Measures what a source of events tells, until the result is disposed or the
 * source ends.
 */
export function instrument(
  source: Events<EventLike> & { stats?(): object },
  options: InstrumentAllOptions = {},
): Disposable {
  const meter = options.meter ?? builtInMeter();
  if (meter === undefined) return { [Symbol.dispose]() {} };
  const tracer: TracerLike = options.tracer ??
    (Deno.telemetry.tracerProvider.getTracer(SCOPE));
  const measures = new Measures(meter, tracer);
  const listening = source.on("*", (event) => measures.take(event), {
    signal: options.signal,
  });
  const observing = observeBytes(source, meter);
  return {
    [Symbol.dispose]() {
      listening[Symbol.dispose]();
      observing();
      measures.end();
    },
  };
}

/** That of Deno; `undefined` where it is not switched on. */
function builtInMeter(): MeterLike | undefined {
  try {
    return Deno.telemetry.meterProvider.getMeter(SCOPE);
  } catch {
    return undefined; // "otel not initialized": nobody asked for it.
  }
}

class Measures {
  readonly #tracer: TracerLike;
  readonly #events: AddInstrument;
  readonly #streams: AddInstrument;
  readonly #pauses: RecordInstrument;
  readonly #replayed: AddInstrument;
  readonly #acknowledged: RecordInstrument;
  readonly #spans = new Map<string, SpanLike>();

  constructor(meter: MeterLike, tracer: TracerLike) {
    this.#tracer = tracer;
    this.#events = meter.createCounter("holdfast.events", {
      description: "What happened, by part and kind",
    });
    this.#streams = meter.createUpDownCounter("holdfast.streams", {
      description: "Streams that are open",
    });
    this.#pauses = meter.createHistogram("holdfast.stream.pause", {
      ...{ unit: "s", description: "How long a stream had no connection" },
    });
    this.#replayed = meter.createCounter("holdfast.stream.replayed", {
      ...{ unit: "By", description: "Bytes that were sent again" },
    });
    this.#acknowledged = meter.createHistogram(
      "holdfast.signalling.acknowledged",
      { unit: "s", description: "From a message to its acknowledgement" },
    );
  }

  take(outer: AnyEvent): void {
    const inner = outer.event ?? outer;
    const { type, reason } = inner;
    const part = inner === outer ? "self" : outer.type;
    // Free text would make a series of its own each time.
    const word = typeof reason === "string" && /^[a-z-]{1,40}$/.test(reason);
    this.#events.add(1, { part, type, ...(word ? { reason } : {}) });
    if (type === "peer-connected" || type === "session-opened") {
      this.#streams.add(1);
    }
    if (type === "session-ended" || part === "stream" && isEnd(type)) {
      this.#streams.add(-1);
    }
    if (type === "acknowledged" && inner.elapsedMs !== undefined) {
      this.#acknowledged.record(inner.elapsedMs / 1000);
    }
    if (outer.sid !== undefined) this.#stream(outer.sid, inner);
  }

  #stream(sid: string, event: AnyEvent): void {
    const { type } = event;
    if (type === "detached") {
      this.#endSpan(sid, {});
      if (this.#spans.size >= SPANS_MAX) {
        const [oldest] = this.#spans.keys();
        this.#endSpan(oldest!, {});
      }
      const attributes = { sid, reason: String(event.reason) };
      this.#spans.set(
        sid,
        this.#tracer.startSpan("holdfast.pause", { attributes }),
      );
    } else if (type === "resumed") {
      const { pauseMs = 0, replayedBytes = 0 } = event;
      this.#pauses.record(pauseMs / 1000);
      this.#replayed.add(replayedBytes);
      this.#endSpan(sid, { replayedBytes });
    } else if (isEnd(type)) {
      this.#endSpan(sid, {}, type === "lost" ? String(event.error) : undefined);
    }
  }

  #endSpan(sid: string, attributes: Attributes, error?: string): void {
    const span = this.#spans.get(sid);
    if (span === undefined) return;
    this.#spans.delete(sid);
    span.setAttributes(attributes);
    if (error !== undefined) span.setStatus({ code: ERROR, message: error });
    span.end();
  }

  end(): void {
    for (const sid of [...this.#spans.keys()]) this.#endSpan(sid, {});
  }
}

function isEnd(type: string): boolean {
  return type === "closed" || type === "lost";
}

/** The bytes that a peer counts itself; asked when they are exported. */
function observeBytes(
  source: { stats?(): object },
  meter: MeterLike,
): () => void {
  const read = source.stats?.bind(source);
  if (read === undefined || !("writtenBytes" in read())) return () => {};
  const ends = [["holdfast.written", "writtenBytes"], [
    "holdfast.read",
    "readBytes",
  ]].map(([name, key]) => {
    const counter = meter.createObservableCounter(name!, { unit: "By" });
    const ask = (result: ObservedResult): void =>
      result.observe((read() as Record<string, number>)[key!]!);
    counter.addCallback(ask);
    return () => counter.removeCallback(ask);
  });
  return () => ends.forEach((end) => end());
}
