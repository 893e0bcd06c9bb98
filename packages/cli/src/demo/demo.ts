// Everything in one process on a bare machine: a sample shop, a gateway before it, a tour, and then whatever you want to try.

import { mkdirSync, mkdtempSync, rmSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join, relative } from 'node:path'
import { Misconfigured } from '@sallyport/core'
import { lockDirectory } from '@sallyport/store'
import type { DirectoryLock } from '@sallyport/store'
import { homeAt, homeOf } from '../home.js'
import type { Home } from '../home.js'
import type { Terminal } from '../output/terminal.js'
import { startNode } from '../start/gateway-node.js'
import { openLog } from '../start/logging.js'
import type { Logging } from '../start/logging.js'
import { Teardown } from '../start/teardown.js'
import { AGENT, API, HOST, REVIEWER, TARGET, writeConfiguration } from './configuration.js'
import type { DemoPorts } from './configuration.js'
import { freePort } from './ports.js'
import { startCrm } from './sample-crm.js'
import { startHost } from './sample-host.js'
import { startShop } from './sample-shop.js'
import { tour } from './tour.js'
import type { Toured } from './tour.js'

/** The ports by habit (docs/configuration.md); the samples' own are next to them. */
const PORTS = { postgres: 15_432, http: 18_080, ssh: 12_222, console: 7080, shop: 15_433, crm: 18_081, host: 12_223 }
/** Time to read a step, where somebody watches. */
const PAUSE_MS = 2500

interface Started {
  readonly home: Home
  readonly ports: DemoPorts
  readonly url: string
}

/** Answers 0 where the tour showed what it must. */
export async function runDemo(options: { readonly once?: true }, terminal: Terminal): Promise<number> {
  const stopping = whenSignalled()
  const place = demoPlace(terminal)
  const logging = openLog('info', join(place.home.directory, 'gateway.log'))
  const teardown = new Teardown(logging.log)
  if (place.temporary) teardown.add('directory', () => rmSync(place.home.directory, { recursive: true, force: true }))
  teardown.add('lock', () => place.lock.release())
  try {
    const started = await start(place.home, terminal, logging, teardown)
    const env = { SALLYPORT_HOME: started.home.directory }
    const watched = terminal.isTty && options.once !== true
    const touring = tour({ env, ports: started.ports, say: (text) => terminal.out(text), pauseMs: watched ? PAUSE_MS : 0 })
    const toured = await Promise.race([touring, stopping.then(() => undefined)])
    if (toured === undefined) return 130
    if (options.once === true) {
      terminal.out('\nThat was the tour.')
      return 0
    }
    terminal.out(invitation(started, toured))
    await stopping
    return 0
  } finally {
    terminal.err('stopping')
    await teardown.run()
    logging.flush()
  }
}

async function start(home: Home, terminal: Terminal, { log }: Logging, teardown: Teardown): Promise<Started> {
  const ports = {
    postgres: await portFor('the gateway', PORTS.postgres, terminal),
    http: await portFor('the gateway for HTTP', PORTS.http, terminal),
    ssh: await portFor('the gateway for SSH', PORTS.ssh, terminal),
    console: await portFor('the console', PORTS.console, terminal),
  }
  terminal.out('Starting a sample shop database, HTTP API and SSH host, and a gateway before them ...')
  const shop = await startShop(join(home.directory, 'shop'), await freePort(PORTS.shop), log)
  teardown.add('sample shop', () => shop.stop())
  const crm = await startCrm(join(home.directory, 'crm'), await freePort(PORTS.crm))
  teardown.add('sample API', () => crm.stop())
  const host = await startHost(join(home.directory, 'host'), await freePort(PORTS.host))
  teardown.add('sample host', () => host.stop())
  const configuration = writeConfiguration(home, { shop, crm, host }, ports)
  const node = await startNode({ configuration, home, env: process.env, log, onListening: () => {} })
  teardown.add('gateway', () => node.stop())
  terminal.out(
    `On 127.0.0.1: Postgres clients connect to port ${ports.postgres}, HTTP clients to ${ports.http}, SSH clients to ${ports.ssh}; the console is at ${node.url}`,
  )
  return { home, ports, url: node.url }
}

async function portFor(what: string, preferred: number, terminal: Terminal): Promise<number> {
  const port = await freePort(preferred)
  if (port !== preferred) terminal.out(`Port ${preferred} is taken, so ${what} listens on ${port}.`)
  return port
}

interface Place {
  readonly home: Home
  readonly lock: DirectoryLock
  readonly temporary: boolean
}

/** Beside the other state of this directory; where a demo runs there already, somewhere of its own. */
function demoPlace(terminal: Terminal): Place {
  const home = homeAt(join(homeOf(terminal.env).directory, 'demo'))
  try {
    return { home, lock: lockShop(home), temporary: false }
  } catch (error) {
    if (!(error instanceof Misconfigured && error.code === 'home-in-use')) throw error
    const other = homeAt(mkdtempSync(join(tmpdir(), 'sallyport-demo-')))
    terminal.out(`A demo runs in ${home.directory} already; this one runs in ${other.directory}.`)
    return { home: other, lock: lockShop(other), temporary: true }
  }
}

function lockShop(home: Home): DirectoryLock {
  const shop = join(home.directory, 'shop')
  mkdirSync(shop, { recursive: true, mode: 0o700 })
  return lockDirectory(shop)
}

function whenSignalled(): Promise<void> {
  return new Promise((resolve) => {
    let signals = 0
    const onSignal = (): void => {
      if (++signals > 1) process.exit(1)
      resolve()
    }
    process.on('SIGINT', onSignal)
    process.on('SIGTERM', onSignal)
    // The terminal was closed: the databases must not be left running.
    process.on('SIGHUP', onSignal)
  })
}

function invitation({ home, ports, url }: Started, { session, agentToken, reviewerToken }: Toured): string {
  const here = relative(process.cwd(), home.directory)
  const at = here.startsWith('..') ? home.directory : here
  return `
Now you. Open the console, ${url}
and sign in with a token: as ${REVIEWER}, who approves, ${reviewerToken}
                          as the operator, the one in ${join(at, 'admin.token')}

In another terminal:

  psql "postgresql://${AGENT}:${agentToken}@127.0.0.1:${ports.postgres}/${TARGET}"

and try:  select * from customers;   drop table orders;   update orders set total = 0;

  curl -H "Authorization: Bearer ${agentToken}" http://127.0.0.1:${ports.http}/${API}/customers

and try:  -X DELETE .../customers/2   or   .../refunds --json '{"order":8}'   (held: approve it as below)

  ssh -p ${ports.ssh} ${AGENT}:${HOST}@127.0.0.1 'cat logs/app.log'     # the password: ${agentToken}

and try:  'rm -rf releases'   'find . -exec rm -r {} +'   no command at all. (The sample host runs commands on this machine, in a scratch directory.)

  export SALLYPORT_HOME=${at}
  SALLYPORT_TOKEN=${agentToken} npx sallyport connect ${HOST} -- ls    # the same without a password to type
  npx sallyport reviews list                                   # what waits for a person, without a browser
  SALLYPORT_TOKEN=${reviewerToken} npx sallyport reviews approve ID    # as ${REVIEWER}
  npx sallyport sessions list
  npx sallyport replay ${session}
  npx sallyport policy explain --identity ${AGENT} --target ${TARGET} --statement "select email from customers"

Configuration ${join(at, 'sallyport.yaml')}; log ${join(at, 'gateway.log')}. Ctrl-C ends the demo.`
}
