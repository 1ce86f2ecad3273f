import { assertEquals } from "@std/assert";
import { refuseAction, refuseAny } from "./guard.ts";

const PORT = 8123;
const TOKEN = "ab".repeat(16);
const OWN = `http://127.0.0.1:${PORT}`;

function asked(
  headers: Record<string, string>,
  { method = "POST", path = "/actions/cut" } = {},
) {
  return { method, path, headers: new Headers(headers) };
}

const good = {
  host: `127.0.0.1:${PORT}`,
  origin: OWN,
  "sec-fetch-site": "same-origin",
  "x-demo-token": TOKEN,
};

Deno.test("the page's own POST with the token of this run is let through", () => {
  assertEquals(refuseAction(asked(good), PORT, TOKEN), undefined);
  const local = { ...good, host: `localhost:${PORT}` };
  assertEquals(
    refuseAction(
      asked({ ...local, origin: `http://localhost:${PORT}` }),
      PORT,
      TOKEN,
    ),
    undefined,
  );
  // A browser that does not say where a request comes from still has an origin.
  const { "sec-fetch-site": _, ...old } = good;
  assertEquals(refuseAction(asked(old), PORT, TOKEN), undefined);
});

Deno.test("everything else is refused", () => {
  const without = (name: keyof typeof good) => {
    const { [name]: _, ...rest } = good;
    return rest;
  };
  const cases: [Record<string, string>, number][] = [
    [without("x-demo-token"), 403],
    [without("origin"), 403],
    [without("host"), 403],
    [{ ...good, "x-demo-token": TOKEN.slice(1) }, 403],
    [{ ...good, "x-demo-token": `${TOKEN}0` }, 403],
    [{ ...good, origin: "http://127.0.0.1:9999" }, 403],
    [{ ...good, origin: "https://evil.example" }, 403],
    [{ ...good, origin: "null" }, 403],
    [{ ...good, "sec-fetch-site": "cross-site" }, 403],
    [{ ...good, "sec-fetch-site": "same-site" }, 403],
    // Another name that leads here, with the page that goes with it.
    [
      {
        ...good,
        host: `evil.example:${PORT}`,
        origin: `http://evil.example:${PORT}`,
      },
      421,
    ],
  ];
  for (const [headers, status] of cases) {
    const refusal = refuseAction(asked(headers), PORT, TOKEN);
    assertEquals(refusal?.status, status, JSON.stringify(headers));
  }
  for (const method of ["GET", "PUT", "DELETE"]) {
    assertEquals(
      refuseAction(asked(good, { method }), PORT, TOKEN)?.status,
      405,
    );
  }
});

Deno.test("reading is for this server's own names and pages", () => {
  const read = (headers: Record<string, string>, path: string) =>
    refuseAny(asked(headers, { method: "GET", path }), PORT)?.status;
  const { host } = good;
  assertEquals(read({ host }, "/"), undefined);
  // A link from elsewhere may open the page, and no more than that.
  const linked = { host, "sec-fetch-site": "cross-site" };
  assertEquals(read(linked, "/"), undefined);
  assertEquals(read(linked, "/events"), 403);
  assertEquals(read({ host: "evil.example" }, "/"), 421);
  assertEquals(read({}, "/"), 421);
});
