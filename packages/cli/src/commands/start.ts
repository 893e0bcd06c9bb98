// Runs a gateway node until it is told to stop. stdout gets one line per listener, then `ready`; the log goes to stderr.

import { AsyncLocalStorage } from 'node:async_hooks'
import { existsSync } from 'node:fs'
import type { Duplex } from 'node:stream'
import { Misconfigured } from '@sallyport/core'
import type { Protocol } from '@sallyport/core'
import { faultLine } from '../configuration/fault.js'
import { loadConfiguration } from '../configuration/load.js'
import type { Configuration } from '../configuration/load.js'
import { homeOf } from '../home.js'
import type { Terminal } from '../output/terminal.js'
import { startNode } from '../start/gateway-node.js'
import type { GatewayNode } from '../start/gateway-node.js'
import { openLog } from '../start/logging.js'
import type { Logging } from '../start/logging.js'
import type { Listener } from '../start/reachable.js'

export async function startCommand(
  options: { readonly config: string; readonly json?: true },
  terminal: Terminal,
): Promise<number> {
  if (!existsSync(options.config)) {
    throw new Misconfigured(
      'no-configuration',
      `there is no ${options.config}; write one (docs/configuration.md), name one with -c, or see it all work with \`sallyport demo\``,
    )
  }
  const configuration = configurationFrom(options.config, terminal)
  if (configuration === undefined) return 1
  const home = homeOf(terminal.env)
  const logging = openLog(configuration.log.level)
  const connections = new AsyncLocalStorage<Duplex>()
  const stopped = whenStopped(logging, connections)
  const onListening = (listener: Listener): void => sayListening(listener, options.json === true, terminal)
  try {
    const node = await startNode({
      configuration,
      home,
      env: terminal.env,
      log: logging.log,
      onListening,
      guard: guardBy(connections),
    })
    terminal.out(options.json === true ? JSON.stringify({ ready: true }) : 'ready')
    process.on('SIGHUP', () => void reread(options.config, configuration, node, terminal, logging))
    const code = await stopped
    await node.stop()
    return code
  } finally {
    logging.flush()
  }
}

function configurationFrom(file: string, terminal: Terminal): Configuration | undefined {
  const loaded = loadConfiguration(file, terminal.env)
  if (loaded.kind === 'loaded') {
    for (const warning of loaded.warnings) terminal.err(`warning: ${faultLine(file, warning)}`)
    return loaded.value
  }
  terminal.err(loaded.faults.map((fault) => faultLine(file, fault)).join('\n'))
  return undefined
}

function sayListening({ protocol, address }: Listener, asJson: boolean, terminal: Terminal): void {
  if (asJson) terminal.out(JSON.stringify({ listening: protocol, address }))
  else terminal.out(protocol === 'console' ? `console ${address}` : `listening ${protocol} ${address}`)
}

/** Every byte of a connection is worked on in the context of its client, so that a bug can be laid at its door. */
function guardBy(connections: AsyncLocalStorage<Duplex>): (protocol: Protocol) => Protocol {
  return (protocol) => ({
    ...protocol,
    serve: (client, gate) => connections.run(client.stream, () => protocol.serve(client, gate)),
  })
}

/** Resolves with the exit code when the process is to end in order. A second signal ends it at once. */
function whenStopped({ log, flush }: Logging, connections: AsyncLocalStorage<Duplex>): Promise<number> {
  return new Promise((resolve) => {
    let signals = 0
    const onSignal = (signal: NodeJS.Signals): void => {
      if (++signals > 1) {
        flush()
        process.exit(1)
      }
      log('info', 'stopping', { signal })
      resolve(0)
    }
    process.on('SIGINT', onSignal)
    process.on('SIGTERM', onSignal)
    const onBug = (error: unknown): void => {
      const stack = error instanceof Error ? error.stack : String(error)
      const client = connections.getStore()
      if (client !== undefined) {
        log('error', 'bug: a connection failed in an unexpected way and is cut', { stack })
        client.destroy()
        return
      }
      log('error', 'bug: the gateway stops', { stack })
      flush()
      resolve(1)
    }
    process.on('uncaughtException', onBug)
    process.on('unhandledRejection', onBug)
  })
}

/** SIGHUP: the definitions of the file are applied; everything else in it counts from the next start. */
async function reread(
  file: string,
  running: Configuration,
  node: GatewayNode,
  terminal: Terminal,
  { log }: Logging,
): Promise<void> {
  try {
    const loaded = loadConfiguration(file, terminal.env)
    if (loaded.kind === 'faulty') {
      log('error', 'the configuration has faults; nothing was changed', {
        faults: loaded.faults.map((fault) => faultLine(file, fault)),
      })
      return
    }
    const rest = ({ definitions: _definitions, ...others }: Configuration): string => JSON.stringify(others)
    if (rest(loaded.value) !== rest(running))
      log('warn', 'listeners, database, console, limits and the like count from the next start')
    const { revision, changes, ended } = await node.definitions.apply(loaded.value.definitions, { dryRun: false, by: 'SIGHUP' })
    log('info', 'the configuration was read again', { revision, changes: changes.length, ended })
  } catch (error) {
    log('error', 'the configuration could not be read again; nothing was changed', { error })
  }
}
