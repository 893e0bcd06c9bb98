// Data of an older PostgreSQL, brought to the version this Sallyport carries. Both servers run side by side, the older from the programs
// kept beside its data; what the store keeps is copied and compared, and only then do the new files take the old ones' place. The old
// files stay until somebody removes them, and are only read.

import { existsSync, readFileSync, renameSync, rmSync, writeFileSync } from 'node:fs'
import { join } from 'node:path'
import { Misconfigured } from '@sallyport/core'
import type { CarryOver } from './carry-over.js'
import type { StoreLog } from './connection.js'
import { EMBEDDED_PORT } from './embedded-place.js'
import type { Place } from './embedded-place.js'
import { createData, launch, makeDatabase, socketConnection } from './embedded-server.js'
import type { SocketConnection } from './embedded-server.js'
import { keptEngine } from './engine.js'
import type { Engine } from './engine.js'
import { endServer, isServerOf, readPostmaster } from './postmaster.js'

interface UpgradeParts {
  readonly secret: string
  readonly carryOver: CarryOver
  readonly log: StoreLog
}

/** In the new files once all of the old ones' content is in them. */
const WHOLE = 'sallyport-upgraded'

export function versionOf(place: Pick<Place, 'data'>): string {
  return readFileSync(join(place.data, 'PG_VERSION'), 'utf8').trim()
}

const draftOf = (place: Place): Place => ({ ...place, data: `${place.data}.upgrade` })

/** Ends an upgrade that was cut short between its last two steps; one cut short earlier is done again from the old files. */
export function finishUpgrade(place: Place): void {
  const draft = draftOf(place).data
  if (!existsSync(place.data) && existsSync(join(draft, WHOLE))) renameSync(draft, place.data)
}

async function endLeftOver(data: string): Promise<void> {
  const found = readPostmaster(data)
  if (found === undefined || !isServerOf(found.pid, data) || (await endServer(found.pid, data))) return
  throw new Misconfigured('embedded-stuck', `process ${found.pid} serves ${data} and cannot be stopped; end it by hand`)
}

/** Where the old files go: a name that says their version, and that nothing has yet. */
function shelf(place: Place, version: string): string {
  for (let number = 1; ; number += 1) {
    const name = `${place.data}-${version}${number === 1 ? '' : `-${number}`}`
    if (!existsSync(name)) return name
  }
}

/** Runs a server over a data directory for as long as `work` takes. */
async function withServer(
  place: Place,
  engine: Engine,
  port: number,
  secret: string,
  work: (connection: SocketConnection) => Promise<void>,
): Promise<void> {
  await endLeftOver(place.data)
  const running = await launch(place, engine, { port })
  try {
    await work(socketConnection(running, secret))
  } finally {
    await endServer(running.postmaster.pid, place.data)
  }
}

export async function upgradeData(place: Place, to: Engine, parts: UpgradeParts): Promise<void> {
  const version = versionOf(place)
  const from = keptEngine(place.files, version)
  if (from === undefined || Number(version) > Number(to.majorVersion)) {
    throw new Misconfigured(
      'embedded-version',
      `${place.data} was made by PostgreSQL ${version}, and this Sallyport brings ${to.majorVersion}; ` +
        (from === undefined
          ? `the programs of ${version} are not beside it, so it cannot be read: run the Sallyport that made it once, which puts them there`
          : 'run the newer Sallyport that made it'),
    )
  }
  const draft = draftOf(place)
  parts.log('info', `the embedded database is brought from PostgreSQL ${version} to ${to.majorVersion}`)
  await endLeftOver(draft.data)
  rmSync(draft.data, { recursive: true, force: true })
  await createData(draft, to, parts.secret)
  await withServer(place, from, EMBEDDED_PORT, parts.secret, (old) =>
    withServer(draft, to, EMBEDDED_PORT + 1, parts.secret, async (fresh) => {
      // A first start that was cut short may have left the old server without it, too.
      for (const connection of [old, fresh]) await makeDatabase(connection)
      await parts.carryOver(old, fresh)
    }),
  )
  writeFileSync(join(draft.data, WHOLE), '')
  const shelved = shelf(place, version)
  renameSync(place.data, shelved)
  renameSync(draft.data, place.data)
  parts.log(
    'info',
    `the embedded database is now of PostgreSQL ${to.majorVersion}; its older files stay in ${shelved} until you remove them`,
  )
}
