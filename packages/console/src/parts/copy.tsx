// A text to take along, with a button that copies it where the browser lets a page do so.

import { useState } from 'preact/hooks'
import { Shown } from './shown.js'

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
  // Without TLS, and not on loopback, there is no clipboard: a click selects all of it.
  return (
    <div class="copyable">
      <code>
        <Shown text={text} />
      </code>
      {window.isSecureContext && (
        <button type="button" onClick={() => void copy()} aria-label={`Copy ${label}`}>
          {copied ? 'Copied' : 'Copy'}
        </button>
      )}
    </div>
  )
}
