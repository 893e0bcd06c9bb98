// What can be done with a session: cut it, and prove its record whole.

import { useState } from 'preact/hooks'
import { useConsole } from '../console.js'
import { toldOf } from '../gateway.js'
import { Trouble } from '../parts/asking.js'
import { Shown } from '../parts/shown.js'
import type { Verified } from '../shapes.js'
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
