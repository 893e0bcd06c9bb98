// A client's channels: what it asks for on each decides who serves it.

import type { Connection, ServerChannel, Session as LibrarySession } from 'ssh2'
import { agentQuestion } from './agent.js'
import { Asked } from './asked.js'
import { ClientChannel } from './client-channel.js'
import { runCommand } from './command.js'
import { runSftp } from './sftp/subsystem.js'
import type { Served } from './served.js'
import { wordError } from './wording.js'
import { Denied } from '@sallyport/core'

export function serveChannels(connection: Connection, served: Served): void {
  connection.on('session', (accept, reject) => {
    if (!served.enter()) return reject()
    const session = accept()
    session.once('close', () => served.leave())
    serveSession(session, served)
  })
}

function serveSession(session: LibrarySession, served: Served): void {
  const asked = new Asked(session, () => served.isRuled(agentQuestion))
  const run = (work: Promise<void>): void => void work.catch(served.bug)
  /** The channel's own end is only told once all of its input was read; one that waits for people has not. */
  const opened = (stream: ServerChannel): ServerChannel => {
    session.once('close', () => stream.emit('gone'))
    return stream
  }
  session.on('exec', (accept, _reject, { command }) => run(runCommand(served, opened(accept()), asked, command)))
  session.on('shell', (accept) => run(runCommand(served, opened(accept()), asked, undefined)))
  session.on('subsystem', (accept, _reject, { name }) => {
    const stream = opened(accept())
    run(name === 'sftp' ? runSftp(served, stream) : refuse(served, stream, name))
  })
}

async function refuse(served: Served, stream: ServerChannel, name: string): Promise<void> {
  const channel = new ClientChannel(stream, served)
  stream.resume()
  const known = /^[\w.@-]{1,64}$/.test(name) ? name : 'of this name'
  await channel.refuse(wordError(new Denied('unknown-subsystem', `subsystem ${known} is not served; sftp is`), served.session.id))
}

/** A client that was authenticated and may not in: every channel says why. */
export function refuseChannels(connection: Connection, refusal: Denied): void {
  connection.on('session', (accept) => {
    const session = accept()
    const say = (stream: ServerChannel): void => {
      stream.on('error', () => {})
      stream.resume()
      stream.stderr.write(wordError(refusal))
      stream.exit(126)
      stream.end()
    }
    session.on('pty', (acceptPty) => acceptPty?.())
    session.on('exec', (acceptExec) => say(acceptExec()))
    session.on('shell', (acceptShell) => say(acceptShell()))
    session.on('subsystem', (acceptSubsystem) => say(acceptSubsystem()))
  })
}
