/**
 * A source of news about the network. Any `Events` will do, and a watch of
 * `@holdfast/netwatch` as it is.
 */
export interface NetworkNews {
  /** See `Events.on`. */
  on(
    type: "*",
    listener: (event: { readonly type: string }) => void,
  ): Disposable;
}

/** After which of them every broker is asked, or tried, at once. */
export const NEWS: ReadonlySet<string> = new Set([
  "online",
  "gateway-changed",
  "default-interface-changed",
  "network-changed",
  "address-added",
  "address-removed",
  "carrier-gained",
  "carrier-lost",
  "woke",
  "path-lost",
  "path-changed",
  "path-restored",
]);
