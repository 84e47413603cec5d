// A typical reverse proxy in front of a dashboard: it strips a path prefix and changes the Host.
import { createServer, request } from 'node:http';

export class Proxy {
  /** `routes` maps a prefix to a server. */
  static async start(routes) {
    const server = createServer((incoming, outgoing) => {
      const prefix = Object.keys(routes).find(prefix => incoming.url.startsWith(prefix) && ['', '/', '?'].includes(incoming.url.charAt(prefix.length)));
      if (!prefix) { outgoing.writeHead(404).end(); return; }
      const rest = incoming.url.slice(prefix.length), path = rest.startsWith('/') ? rest : `/${rest}`;
      // A Host without a port: it differs from the Origin that the browser sends.
      const headers = { ...incoming.headers, host: 'localhost' };
      const onward = request({ host: '127.0.0.1', port: routes[prefix].port, path, method: incoming.method, headers }, answer => {
        outgoing.writeHead(answer.statusCode, answer.headers);
        answer.pipe(outgoing);
      });
      onward.on('error', () => outgoing.destroy());
      outgoing.on('close', () => onward.destroy());
      incoming.pipe(onward);
    });
    await new Promise(resolve => server.listen(0, '127.0.0.1', resolve));
    return new Proxy(server);
  }

  constructor(server) {
    this.server = server;
    this.url = `http://127.0.0.1:${server.address().port}`;
  }

  close() {
    this.server.closeAllConnections();
    return new Promise(resolve => this.server.close(resolve));
  }
}
