import { assert, assertEquals } from "@std/assert";
import { Emitter } from "@holdfast/events/emitter";
import { describeEvent, levelOf, logEvents } from "@holdfast/holdfast/log";
import { instrument, type SpanLike } from "@holdfast/holdfast/otel";

const PROGRAM = new URL("./_telemetry_program.ts", import.meta.url).pathname;

// deno-lint-ignore no-explicit-any -- OTLP as JSON, of which little is looked at
type Json = any;

/** A collector of OTLP over HTTP: keeps what it is sent. */
class Collector implements AsyncDisposable {
  readonly metrics = new Map<string, Json>();
  readonly spans: Json[] = [];
  readonly #server = Deno.serve(
    { hostname: "127.0.0.1", port: 0, onListen() {} },
    async (request) => {
      const body: Json = await request.json();
      const { pathname } = new URL(request.url);
      if (pathname === "/v1/metrics") {
        for (
          const metric of parts(body.resourceMetrics, "scopeMetrics", "metrics")
        ) {
          this.metrics.set(metric.name, metric);
        }
      }
      if (pathname === "/v1/traces") {
        this.spans.push(...parts(body.resourceSpans, "scopeSpans", "spans"));
      }
      return Response.json({});
    },
  );

  get url(): string {
    return `http://127.0.0.1:${this.#server.addr.port}`;
  }

  async [Symbol.asyncDispose](): Promise<void> {
    await this.#server.shutdown();
  }
}

function parts(list: Json[] | undefined, inner: string, innermost: string) {
  return (list ?? []).flatMap((one: Json) =>
    (one[inner] ?? []).flatMap((scope: Json) => scope[innermost] ?? [])
  );
}

function attributesOf(point: Json): Record<string, string> {
  return Object.fromEntries(
    (point.attributes ?? []).map(({ key, value }: Json) => [
      key,
      Object.values(value)[0],
    ]),
  );
}

Deno.test("what happens reaches a collector by OTLP, through the OpenTelemetry of Deno", async () => {
  await using collector = new Collector();
  const { success, stderr } = await new Deno.Command(Deno.execPath(), {
    args: [
      ...["run", "--no-check", "--no-prompt", "--allow-net=127.0.0.1"],
      ...["--allow-read", PROGRAM],
    ],
    env: {
      OTEL_DENO: "true",
      OTEL_EXPORTER_OTLP_ENDPOINT: collector.url,
      OTEL_EXPORTER_OTLP_PROTOCOL: "http/json",
      OTEL_METRIC_EXPORT_INTERVAL: "100",
    },
    ...{ stdin: "null", stdout: "null" },
  }).output();
  assert(success, new TextDecoder().decode(stderr));
  const { metrics, spans } = collector;
  const points = metrics.get("holdfast.events")?.sum.dataPoints ?? [];
  const resumed = points.filter((point: Json) =>
    attributesOf(point).type === "resumed"
  );
  assertEquals(resumed.length, 1, JSON.stringify(points));
  assertEquals(attributesOf(resumed[0]).part, "connection");
  assertEquals(Number(resumed[0].asInt ?? resumed[0].asDouble), 3);
  const [pause] = metrics.get("holdfast.stream.pause").histogram.dataPoints;
  assertEquals(Number(pause.count), 3);
  const [open] = metrics.get("holdfast.streams").sum.dataPoints;
  assertEquals(Number(open.asInt ?? open.asDouble), 0);
  const pauses = spans.filter(({ name }) => name === "holdfast.pause");
  assertEquals(pauses.length, 3);
  for (const span of pauses) {
    const { reason, sid } = attributesOf(span);
    assert(reason !== undefined && /^[0-9a-f]{32}$/.test(sid!));
    assert(BigInt(span.endTimeUnixNano) >= BigInt(span.startTimeUnixNano));
  }
});

Deno.test("a lost stream ends its span as an error, and free text makes no series", () => {
  const source = new Emitter<{ readonly type: string }>();
  const series: unknown[] = [];
  const ended: unknown[] = [];
  const counter = { add: (_: number, a?: object) => void series.push(a) };
  const record = { record() {} };
  const span: SpanLike = {
    setAttributes() {},
    setStatus: (status) => void ended.push(status),
    end: () => void ended.push("end"),
  };
  const telemetry = instrument(source, {
    meter: {
      createCounter: () => counter,
      createUpDownCounter: () => ({ add() {} }),
      createHistogram: () => record,
      createObservableCounter: () => ({
        addCallback() {},
        removeCallback() {},
      }),
    },
    tracer: { startSpan: () => span },
  });
  const tell = (event: { readonly type: string }) =>
    source.emit({ type: "stream", sid: "a", event } as never);
  tell({ type: "detached", reason: "path-lost" } as never);
  tell({ type: "lost", error: "it was too late" } as never);
  source.emit({ type: "x", reason: "any words at all 7" } as never);
  telemetry[Symbol.dispose]();
  source.emit({ type: "after" });
  assertEquals(ended, [{ code: 2, message: "it was too late" }, "end"]);
  assertEquals(series.at(-1), { part: "self", type: "x" });
});

Deno.test("events are written by their weight, and the line says what they say", () => {
  const source = new Emitter<{ readonly type: string }>();
  const lines: string[] = [];
  const write = (level: string) => (text: string, properties: object) =>
    void lines.push(`${level} ${text} ${Object.keys(properties)}`);
  const logger = {
    ...{ debug: write("debug"), info: write("info") },
    ...{ warn: write("warn"), error: write("error") },
  };
  using _all = logEvents(source, logger, { level: "warn" });
  const stream = (event: object) =>
    ({ type: "stream", sid: "ab", event }) as never;
  source.emit(stream({ type: "resumed" }));
  source.emit(stream({ type: "detached", reason: "path-lost" }));
  source.emit(stream({ type: "lost", error: "two words" }));
  assertEquals(lines, [
    "warn stream detached: sid=ab reason=path-lost type,sid,event",
    'error stream lost: sid=ab error="two words" type,sid,event',
  ]);
  assertEquals(levelOf(stream({ type: "resumed" })), "info");
  assertEquals(levelOf({ type: "something-else" }), "debug");
  assertEquals(describeEvent({ type: "closed" }), "closed");
});
