/** Real TCP balancers on loopback, with files of their own. */
import { answers, freePort, Running } from "./_tunnel_world.ts";

/** Which program balances. */
export type Balancer = "haproxy" | "nginx";

const STREAM_MODULE = "/usr/lib/nginx/modules/ngx_stream_module.so";

function nginxConfig(
  folder: string,
  port: number,
  ports: readonly number[],
  hasModule: boolean,
): string {
  const servers = ports.map((one) =>
    `server 127.0.0.1:${one} max_fails=1 fail_timeout=1s;`
  );
  return `
    ${hasModule ? `load_module ${STREAM_MODULE};` : ""}
    daemon off; pid ${folder}/pid; error_log ${folder}/log; worker_processes 1;
    events { worker_connections 256; }
    stream {
      upstream fleet { ${servers.join(" ")} }
      server {
        listen 127.0.0.1:${port};
        proxy_pass fleet;
        proxy_connect_timeout 1s;
      }
    }`;
}

function haproxyConfig(port: number, ports: readonly number[]): string {
  return `
defaults
  mode tcp
  timeout connect 1s
  timeout client 1h
  timeout server 1h
  option redispatch
  retries 2
frontend all
  bind 127.0.0.1:${port}
  default_backend fleet
backend fleet
  balance roundrobin
${
    ports.map((one, i) =>
      `  server s${i} 127.0.0.1:${one} check inter 200 fall 1 rise 1\n`
    ).join("")
  }`;
}

/** Starts one before the servers at these ports; gives its own port. */
export async function startBalancer(
  kind: Balancer,
  ports: readonly number[],
): Promise<{ readonly port: number } & AsyncDisposable> {
  const stack = new AsyncDisposableStack();
  const folder = await Deno.makeTempDir();
  stack.defer(() => Deno.remove(folder, { recursive: true }));
  const port = freePort();
  const file = `${folder}/config`;
  const hasModule = await Deno.stat(STREAM_MODULE).then(
    () => true,
    () => false,
  );
  await Deno.writeTextFile(
    file,
    kind === "nginx"
      ? nginxConfig(folder, port, ports, hasModule)
      : haproxyConfig(port, ports),
  );
  // nginx is asked to end: killed, it would leave its worker behind.
  const running = new Running(
    kind,
    kind === "nginx"
      ? ["-p", folder, "-e", `${folder}/log`, "-c", file]
      : ["-db", "-f", file],
  );
  stack.defer(async () => {
    running.child.kill("SIGTERM");
    await running.child.status;
    await running[Symbol.asyncDispose]();
  });
  await answers(port);
  return { port, [Symbol.asyncDispose]: () => stack.disposeAsync() };
}
