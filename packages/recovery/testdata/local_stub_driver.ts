/**
 * In a namespace of its own without a link, where the only name server is one on
 * this host, as with systemd-resolved, or none at all: the link is the root.
 */
import { assertEquals } from "@std/assert";
import { diagnose } from "../doctor.ts";

const { causes } = await diagnose({
  target: { hostname: "a.test", port: 9 },
  portalUrl: false,
});
assertEquals(causes[0]?.id, "no-link", JSON.stringify(causes));
assertEquals(causes.some(({ id }) => id === "target-silent"), false);
