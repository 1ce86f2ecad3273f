/**
 * Two peers that both change address, gateway and interface at once, while a
 * broker is frozen and a firewall drops all that comes in; then seeded
 * scenarios; then the same move, without firewall and brokers, and with the new
 * address told to them, for plain TCP, a hand-written loop, socket.io and
 * MPTCP. In network namespaces that it makes; needs mosquitto and nft.
 *
 *     deno task bench:peer [--quick]
 */
const { code } = await new Deno.Command("unshare", {
  args: [
    ...["-Urn", Deno.execPath(), "run", "--no-check", "--no-prompt", "-A"],
    ...[new URL("./peer/inside.ts", import.meta.url).pathname, ...Deno.args],
  ],
  stdin: "null",
}).spawn().status;
Deno.exit(code);
