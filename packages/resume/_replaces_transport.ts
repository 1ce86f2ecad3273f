/**
 * The news of a path, and of a whole network, after which the way to a peer may
 * be another one. A new transport is tried; until it stands the old one carries
 * the stream.
 */
export const REPLACES_TRANSPORT: ReadonlySet<string> = new Set([
  "default-interface-changed",
  "gateway-changed",
  "network-changed",
  "online",
  "path-changed",
  "path-restored",
  "woke",
]);
