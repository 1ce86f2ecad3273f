// A receiver in Node: serves one request on the socket that it inherited.
const http = require("node:http");
if (Number(process.env.LISTEN_PID) !== process.pid) process.exit(9);
const fd = 3 + process.env.LISTEN_FDNAMES.split(":").indexOf("web");
const server = http.createServer((request, response) => {
  response.end("node " + request.method + " " + request.url);
  server.close();
});
server.listen({ fd });
