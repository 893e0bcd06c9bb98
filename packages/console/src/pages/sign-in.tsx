// Who are you? The token is sent once and kept nowhere in the page; the gateway answers with a cookie that no script can read.

import { useEffect, useState } from 'preact/hooks'
import { toldOf } from '../gateway.js'
import type { Gateway } from '../gateway.js'

interface SignInParts {
  readonly gateway: Gateway
  /** Was signed in a moment ago. */
  readonly again: boolean
  readonly onSignedIn: () => void
}

export function SignIn({ gateway, again, onSignedIn }: SignInParts) {
  const [trouble, setTrouble] = useState<string | undefined>(undefined)
  const [busy, setBusy] = useState(false)
  const [providers, setProviders] = useState<readonly string[]>([])
  useEffect(() => {
    const over = new AbortController()
    // Without an answer there is still the token to paste.
    void providersOf(gateway, over.signal).then(setProviders, () => {})
    return () => over.abort()
  }, [gateway])
  const signIn = async (form: HTMLFormElement): Promise<void> => {
    const token = new FormData(form).get('token')
    setBusy(true)
    try {
      await gateway.call('POST', '/sign-in', { body: { token } })
      form.reset()
      onSignedIn()
    } catch (error) {
      setTrouble(toldOf(error))
    } finally {
      setBusy(false)
    }
  }
  return (
    <main class="sign-in">
      <h1>
        <i class="gate" aria-hidden="true" />
        Sallyport
      </h1>
      {again && <p role="status">You were signed out: your token has ended or was revoked, or you signed out elsewhere.</p>}
      {providers.map((name) => (
        <a key={name} class="button" href={`/api/v1/sign-in/with/${encodeURIComponent(name)}`}>
          Sign in with {name}
        </a>
      ))}
      <form
        onSubmit={(event) => {
          event.preventDefault()
          void signIn(event.currentTarget)
        }}
      >
        <label for="token">Access token</label>
        <input
          id="token"
          name="token"
          type="password"
          required
          autocomplete="off"
          spellcheck={false}
          aria-describedby="token-help"
        />
        {trouble !== undefined && (
          <p class="trouble" role="alert">
            {trouble}
          </p>
        )}
        <button type="submit" class="primary" disabled={busy}>
          Sign in
        </button>
      </form>
      <p id="token-help" class="quiet">
        Paste the token you use with the gateway; whoever runs it makes one with <code>sallyport token create NAME</code>. On the
        gateway’s own machine the admin token is in <code>admin.token</code> in its home.
      </p>
    </main>
  )
}

/** Those that a browser can be sent to. */
async function providersOf(gateway: Gateway, signal: AbortSignal): Promise<readonly string[]> {
  const { providers } = await gateway.call<{
    readonly providers: readonly { readonly name: string; readonly flows: readonly string[] }[]
  }>('GET', '/login', { signal })
  return providers.filter(({ flows }) => flows.includes('browser')).map(({ name }) => name)
}
