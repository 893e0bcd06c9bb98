// Ports for the demo: those by habit where they are free, else whichever the system gives.

import { createServer } from 'node:net'

export async function freePort(preferred: number): Promise<number> {
  return (await tryPort(preferred)) ?? (await tryPort(0)) ?? preferred
}

function tryPort(port: number): Promise<number | undefined> {
  return new Promise((resolve) => {
    const server = createServer()
    server.once('error', () => resolve(undefined))
    server.listen({ host: '127.0.0.1', port, exclusive: true }, () => {
      const address = server.address()
      server.close(() => resolve(address === null || typeof address === 'string' ? undefined : address.port))
    })
  })
}
