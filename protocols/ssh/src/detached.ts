// SSH inside a channel of SSH. The library's ciphers share memory while they write (ssh2 1.17.0, crypto.js: one buffer for the nonces of all
// connections), so what the inner connection writes must not reach the outer one before the inner is done with its packet: nonces would be mixed
// up. Nothing here is passed on within the call that brought it.

import { Duplex } from 'node:stream'

/** A stream with the bytes of this channel, each way in a later turn of the event loop. */
export function detached(channel: Duplex): Duplex {
  const pass = (bytes: Buffer, done: () => void): void =>
    void setImmediate(() => {
      if (channel.destroyed || channel.writableEnded) done()
      else channel.write(bytes, () => done())
    })
  const stream = new Duplex({
    read: () => void channel.resume(),
    write: (chunk: Buffer, _encoding, done) => pass(Buffer.from(chunk), done),
    // What came while an earlier write waited goes on as one.
    writev: (chunks, done) => pass(Buffer.concat(chunks.map(({ chunk }) => chunk as Buffer)), done),
    final: (done) => void setImmediate(() => channel.end(() => done())),
    destroy: (error, done) => {
      channel.destroy()
      done(error)
    },
  })
  channel.on('data', (chunk: Buffer) => {
    const copy = Buffer.from(chunk)
    setImmediate(() => {
      if (!stream.destroyed && !stream.push(copy)) channel.pause()
    })
  })
  channel.once('end', () => setImmediate(() => stream.push(null)))
  channel.once('close', () => setImmediate(() => stream.destroy()))
  channel.on('error', () => stream.destroy())
  return stream
}
