import type {
  Closable,
  Connector,
  DialTarget,
  DialTlsConfig,
} from "./dial_options.ts";

/** One TCP connection. */
export const connectTcp: Connector<DialTarget, Deno.TcpConn> = (
  { hostname, port },
  { signal },
) => Deno.connect({ hostname, port, signal });

/** One TLS connection whose handshake is done. */
export function tlsConnector(
  config: DialTlsConfig,
): Connector<DialTarget, Deno.TlsConn> {
  return async (target, context) => {
    const { signal } = context;
    // Not Deno.connectTls: it takes no signal.
    let open: Closable = await connectTcp(target, context);
    const close = () => closeQuietly(open);
    signal.addEventListener("abort", close, { once: true });
    try {
      const { caCerts, alpnProtocols } = config;
      const tls = await Deno.startTls(open as Deno.TcpConn, {
        hostname: target.hostname,
        ...(caCerts && { caCerts }),
        ...(alpnProtocols && { alpnProtocols }),
      });
      open = tls;
      signal.throwIfAborted();
      await tls.handshake();
      return tls;
    } catch (error) {
      closeQuietly(open);
      throw signal.aborted ? signal.reason : error;
    } finally {
      signal.removeEventListener("abort", close);
    }
  };
}

/** Closes a connection that nobody wants any more. */
export async function closeQuietly(connection: Closable): Promise<void> {
  try {
    await connection.close();
  } catch {
    // It is closed, or as good as that.
  }
}
