// deno-lint-ignore-file no-console
// The peer of bench/handoff.ts: node's own child.send, from Node to Node. Sends
// one listening socket again and again; the child closes what it gets.
const { fork } = require("node:child_process");
const net = require("node:net");
const process = require("node:process");

if (process.send) {
  process.on("message", (id, server) => {
    server.close();
    process.send(id);
  });
} else {
  const [count, one] = process.argv.slice(2).map(Number);
  const child = fork(__filename);
  const server = net.createServer().listen(0, "127.0.0.1", async () => {
    const answers = new Map();
    child.on("message", (id) => answers.get(id)());
    const send = (id) =>
      new Promise((resolve) => {
        answers.set(id, resolve);
        child.send(id, server);
      });
    await send(-1);
    const began = performance.now();
    await Promise.all(Array.from({ length: count }, (_, id) => send(id)));
    const perSecond = count / (performance.now() - began) * 1000;
    const times = [];
    for (let i = 0; i < one; i++) {
      const start = performance.now();
      await send(count + i);
      times.push(performance.now() - start);
    }
    times.sort((a, b) => a - b);
    console.log(JSON.stringify({ perSecond, p50: times[one >> 1] }));
    child.kill();
    server.close();
    process.exit();
  });
}
