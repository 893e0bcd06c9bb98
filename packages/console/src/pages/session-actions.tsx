// What can be done with a session: cut it, prove its record whole, and take what proves it, or what plays it elsewhere, along.

import { useState } from 'preact/hooks'
import { useConsole } from '../console.js'
import { toldOf } from '../gateway.js'
import { Trouble } from '../parts/asking.js'
import { Shown } from '../parts/shown.js'
import type { SessionSummary, Verified } from '../shapes.js'
import { counted } from '../words.js'

export function EndSession({ id, onEnded }: { readonly id: string; readonly onEnded: () => void }) {
  const { gateway } = useConsole()
  const [sure, setSure] = useState(false)
  const [trouble, setTrouble] = useState<string | undefined>(undefined)
  const end = async (): Promise<void> => {
    try {
      await gateway.call('POST', `/sessions/${encodeURIComponent(id)}/end`, { body: { reason: 'ended from the console' } })
      onEnded()
    } catch (error) {
      setTrouble(toldOf(error))
    }
    setSure(false)
  }
  return (
    <span class="end">
      {trouble !== undefined && <Trouble text={trouble} />}
      {sure ? (
        <>
          <button type="button" class="deny" onClick={() => void end()}>
            Cut it now
          </button>
          <button type="button" class="plain" onClick={() => setSure(false)}>
            Keep it
          </button>
        </>
      ) : (
        <button type="button" onClick={() => setSure(true)}>
          End session
        </button>
      )}
    </span>
  )
}

interface Saved {
  readonly name: string
  readonly path: string
  readonly ending: string
}

const EVIDENCE: Saved = { name: 'Save evidence', path: 'evidence', ending: 'evidence.jsonl' }
/** Of protocols whose sessions other programs can play. */
const RECORDINGS: Readonly<Record<string, Saved>> = {
  ssh: { name: 'Save asciicast', path: 'replay?format=asciicast', ending: 'cast' },
  http: { name: 'Save HAR', path: 'har', ending: 'har' },
}

export function Save({ session: { id, protocol, endedAt } }: { readonly session: SessionSummary }) {
  const { gateway } = useConsole()
  const [busy, setBusy] = useState(false)
  const [trouble, setTrouble] = useState<string | undefined>(undefined)
  const save = async ({ path, ending }: Saved): Promise<void> => {
    setBusy(true)
    setTrouble(undefined)
    try {
      give(await gateway.file(`/sessions/${encodeURIComponent(id)}/${path}`), `${id}.${ending}`)
    } catch (error) {
      setTrouble(toldOf(error))
    }
    setBusy(false)
  }
  const recording = RECORDINGS[protocol]
  // What is not sealed yet proves nothing.
  const offered = [...(recording === undefined ? [] : [recording]), ...(endedAt === null ? [] : [EVIDENCE])]
  return (
    <span class="save">
      {offered.map((each) => (
        <button key={each.name} type="button" disabled={busy} onClick={() => void save(each)}>
          {each.name}
        </button>
      ))}
      {trouble !== undefined && <Trouble text={trouble} />}
    </span>
  )
}

function give(blob: Blob, name: string): void {
  const address = URL.createObjectURL(blob)
  const link = document.createElement('a')
  link.href = address
  link.download = name
  link.click()
  // The browser has taken it by then.
  setTimeout(() => URL.revokeObjectURL(address), 60_000)
}

export function Verify({ id }: { readonly id: string }) {
  const { gateway } = useConsole()
  const [state, setState] = useState<{ busy: boolean; verified?: Verified; trouble?: string }>({ busy: false })
  const verify = async (): Promise<void> => {
    setState({ busy: true })
    try {
      setState({ busy: false, verified: await gateway.call<Verified>('POST', '/verify', { body: { session: id } }) })
    } catch (error) {
      setState({ busy: false, trouble: toldOf(error) ?? '' })
    }
  }
  return (
    <span class="verify">
      <button type="button" disabled={state.busy} onClick={() => void verify()}>
        {state.busy ? 'Verifying …' : 'Verify'}
      </button>
      <span role="status">{state.verified !== undefined && <Proof verified={state.verified} />}</span>
      {state.trouble !== undefined && <Trouble text={state.trouble} />}
    </span>
  )
}

const MAX_FAULTS = 20

function Proof({ verified: { whole, faults, unpinned } }: { readonly verified: Verified }) {
  if (whole) {
    return (
      <span class="proof good">
        The record is whole.
        {unpinned.length > 0 && ` ${counted(unpinned.length, 'key is', 'keys are')} vouched for by the database alone.`}
      </span>
    )
  }
  return (
    <span class="proof altered">
      The record was altered:
      <ul>
        {faults.slice(0, MAX_FAULTS).map(({ kind, what }) => (
          <li key={`${kind} ${what}`}>
            <Shown text={`${kind}: ${what}`} />
          </li>
        ))}
        {faults.length > MAX_FAULTS && <li>and {faults.length - MAX_FAULTS} more</li>}
      </ul>
    </span>
  )
}
