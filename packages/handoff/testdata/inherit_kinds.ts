/** Run by spawn_test.ts: tells over the inherited connection what it inherited. */
import { adopt, inheritedSockets } from "../mod.ts";

const sockets = await inheritedSockets();
const others = [...sockets.others.values()];
const [web] = sockets.values();
const report = {
  listeners: [...sockets.keys()],
  others: others.map(({ kind }) => kind),
  port: web!.addr.port,
};
const conn = await adopt(
  others.find(({ kind }) => kind === "tcp-conn")!,
  "conn",
);
await conn.write(new TextEncoder().encode(JSON.stringify(report)));
conn.close();
web!.close();
others.find(({ kind }) => kind === "udp")!.close();
