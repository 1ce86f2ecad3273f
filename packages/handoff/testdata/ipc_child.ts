/** Run by transfer_test.ts: echoes what its parent sends over node's channel. */
import { adopt, receiveSockets } from "../mod.ts";

await using receiver = receiveSockets({ parent: true });
for await (const socket of receiver) {
  if (socket.kind === "tcp-listener") {
    using listener = await adopt(socket, "listener");
    using conn = await listener.accept();
    await conn.write(
      new TextEncoder().encode(`listener ${receiver.state.mode}`),
    );
  } else if (socket.kind === "udp") {
    const datagram = await adopt(socket, "datagram");
    datagram.once("message", (_, { port, address }) => {
      datagram.send("udp", port, address, () => datagram.close());
    });
  } else {
    const conn = await adopt(socket, "conn");
    void conn.readable.pipeTo(conn.writable).catch(() => {});
  }
}
