// node pipe.js PORT OF THE SERVER, PORT TO LISTEN ON
// The least that a proxy in Node can do: every chunk goes on as it came, with nothing read, judged or recorded. What Sallyport costs
// beyond this is its own; what this costs is the price of the runtime.

import { connect, createServer, type Socket } from 'node:net'

const [serverPort, ownPort] = process.argv.slice(2).map(Number)

function pass(from: Socket, to: Socket): void {
  from.on('data', (chunk) => {
    if (!to.write(chunk)) from.pause()
  })
  to.on('drain', () => from.resume())
  from.on('error', () => to.destroy())
  from.on('close', () => to.destroy())
}

createServer({ noDelay: true }, (client) => {
  const upstream = connect({ port: serverPort ?? 0, host: '127.0.0.1', noDelay: true })
  pass(client, upstream)
  pass(upstream, client)
}).listen(ownPort, '127.0.0.1')
