/** What `route -n monitor` of macOS and the BSDs says is a reason to look. */

/** The arguments: numbers only, since names may hang on a resolver. */
export const ROUTE_MONITOR_ARGS: readonly string[] = ["-n", "monitor"];

// Not RTM_GET, which is somebody asking (and would be our own asking), nor
// RTM_MISS, of which a busy Mac sends thousands, nor multicast memberships.
const REASONS: ReadonlySet<string> = new Set([
  "RTM_ADD",
  "RTM_CHANGE",
  "RTM_DELADDR",
  "RTM_DELETE",
  "RTM_IFANNOUNCE",
  "RTM_IFINFO",
  "RTM_NEWADDR",
]);

/** Finds the reasons in what comes in pieces; bounded, whatever comes. */
export class RouteHints {
  #line = "";

  /** Whether there is a reason to look in what was heard so far. */
  feed(text: string): boolean {
    const lines = (this.#line + text).split("\n");
    // The name of a message is in the beginning of its line.
    this.#line = lines.pop()!.slice(0, 200);
    return lines.some((line) =>
      REASONS.has(/^RTM_[A-Z]+/.exec(line)?.[0] ?? "")
    );
  }
}
