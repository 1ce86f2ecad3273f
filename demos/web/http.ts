/** The server of the page: files, the stream of what happens, and actions. */
import type { Actions, Outcome } from "./actions.ts";
import type { Asset } from "./assets.ts";
import { type Asked, type Refusal, refuseAction, refuseAny } from "./guard.ts";
import type { History } from "./history.ts";
import type { Hello } from "./view.ts";

/** What a page may do, and what others may do to it: as little as possible. */
const HEADERS: Readonly<Record<string, string>> = {
  "cache-control": "no-store",
  "content-security-policy": [
    "default-src 'none'",
    "script-src 'self'",
    "style-src 'self'",
    "img-src 'self'",
    "connect-src 'self'",
    "base-uri 'none'",
    "form-action 'none'",
    "frame-ancestors 'none'",
    "require-trusted-types-for 'script'",
    "trusted-types 'none'",
  ].join("; "),
  "cross-origin-opener-policy": "same-origin",
  "cross-origin-resource-policy": "same-origin",
  "referrer-policy": "no-referrer",
  "x-content-type-options": "nosniff",
  "x-frame-options": "DENY",
};

const STATUS = { unknown: 404, busy: 409, senseless: 409, failed: 500 };
// A page that takes no more is let go; it comes back and starts afresh.
const BEHIND_MAX = 256;

/** What it serves. */
export interface Served {
  readonly token: string;
  readonly assets: ReadonlyMap<string, Asset>;
  readonly history: History;
  /** What a page hears first. */
  readonly hello: () => Hello;
  /** Absent until the programs run. */
  readonly actions: () => Actions | undefined;
}

/** Serves on 127.0.0.1 and nowhere else, until the signal aborts. */
export function serve(
  served: Served,
  port: number,
  signal: AbortSignal,
): Deno.HttpServer<Deno.NetAddr> {
  const server: Deno.HttpServer<Deno.NetAddr> = Deno.serve(
    {
      hostname: "127.0.0.1",
      port,
      signal,
      onListen() {},
      onError: (error) => tell(500, `That failed: ${(error as Error).message}`),
    },
    (request) => answer(request, served, server.addr.port),
  );
  return server;
}

async function answer(
  request: Request,
  served: Served,
  port: number,
): Promise<Response> {
  const { method, headers } = request;
  const path = new URL(request.url).pathname;
  const asked: Asked = { method, path, headers };
  const refusal = refuseAny(asked, port);
  if (refusal !== undefined) return refuse(refusal);
  const action = /^\/actions\/([a-z0-9-]{1,40})$/.exec(path)?.[1];
  if (action !== undefined) {
    const no = refuseAction(asked, port, served.token);
    return no === undefined ? await act(action, served) : refuse(no);
  }
  if (method === "GET" && path === "/events") return events(served);
  if (method !== "GET" && method !== "HEAD") {
    return tell(405, "Here one can only read.");
  }
  const asset = served.assets.get(path);
  if (asset === undefined) return tell(404, `There is no ${path}.`);
  return new Response(method === "HEAD" ? null : asset.text, {
    headers: { ...HEADERS, "content-type": asset.type },
  });
}

function tell(status: number, text: string): Response {
  return Response.json({ ok: false, text }, { status, headers: HEADERS });
}

function refuse({ status, text }: Refusal): Response {
  return tell(status, text);
}

async function act(id: string, served: Served): Promise<Response> {
  const actions = served.actions();
  if (actions === undefined) return tell(409, "The programs start: wait.");
  const outcome: Outcome = await actions.run(id);
  const status = outcome.ok ? 200 : STATUS[outcome.reason];
  const { ok, text } = outcome;
  return Response.json({ ok, text }, { status, headers: HEADERS });
}

function events({ history, hello }: Served): Response {
  const encoder = new TextEncoder();
  let listening: Disposable | undefined;
  const body = new ReadableStream<Uint8Array>({
    start(controller) {
      const send = (kind: string, data: unknown): void => {
        if ((controller.desiredSize ?? 0) < -BEHIND_MAX) {
          listening?.[Symbol.dispose]();
          return controller.close();
        }
        const text = `event: ${kind}\ndata: ${JSON.stringify(data)}\n\n`;
        controller.enqueue(encoder.encode(text));
        if (kind !== "end") return;
        listening?.[Symbol.dispose]();
        controller.close();
      };
      listening = history.listen(send);
      if (listening === undefined) return;
      controller.enqueue(encoder.encode("retry: 1000\n\n"));
      send("hello", hello());
    },
    cancel: () => listening?.[Symbol.dispose](),
  });
  if (listening === undefined) {
    return tell(503, "Too many pages are open: close one.");
  }
  return new Response(body, {
    headers: { ...HEADERS, "content-type": "text/event-stream" },
  });
}
