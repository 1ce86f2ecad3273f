/** A real Chromium, driven by playwright-core. */
import { type Browser, chromium } from "playwright-core";

/** Starts it without a window; nothing of it talks to anybody but the test. */
export function startChromium(): Promise<Browser> {
  return chromium.launch({
    executablePath: "/usr/bin/chromium",
    args: [
      "--no-sandbox",
      "--disable-gpu",
      "--disable-quic",
      "--no-first-run",
      "--disable-background-networking",
      "--disable-component-update",
      "--disable-sync",
    ],
  });
}

/** A module and all that it imports as one script for a browser. */
export async function bundle(module: URL): Promise<string> {
  const { success, stdout, stderr } = await new Deno.Command(
    Deno.execPath(),
    {
      args: [
        "bundle",
        "--quiet",
        "--platform=browser",
        "--minify",
        module.href,
      ],
      env: { NO_COLOR: "1" },
    },
  ).output();
  const text = (bytes: Uint8Array) => new TextDecoder().decode(bytes);
  if (!success) throw new Error(`Cannot bundle ${module}: ${text(stderr)}`);
  return text(stdout);
}
