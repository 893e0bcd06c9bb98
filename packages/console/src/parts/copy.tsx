// A text to take along, with a button that copies it where the browser lets a page do so.

import { useState } from 'preact/hooks'

export function Copyable({ text, label }: { readonly text: string; readonly label: string }) {
  const [copied, setCopied] = useState(false)
  const copy = async (): Promise<void> => {
    try {
      await navigator.clipboard.writeText(text)
      setCopied(true)
      setTimeout(() => setCopied(false), 2000)
    } catch {
      setCopied(false)
    }
  }
  // Without TLS, and not on loopback, there is no clipboard: the field can be selected.
  return (
    <div class="copyable">
      <input readOnly value={text} aria-label={label} onFocus={(event) => event.currentTarget.select()} />
      {window.isSecureContext && (
        <button type="button" onClick={() => void copy()} aria-label={`Copy ${label}`}>
          {copied ? 'Copied' : 'Copy'}
        </button>
      )}
    </div>
  )
}
