// A link within the console: a plain one for the browser (new tab, copy), and no reload where it is simply followed.

import type { ComponentChildren } from 'preact'
import { useConsole } from '../console.js'
import { addressOf } from '../place.js'
import type { Place } from '../place.js'

interface LinkParts {
  readonly to: Place
  readonly class?: string
  readonly current?: boolean
  readonly children: ComponentChildren
}

export function Link({ to, current, children, ...rest }: LinkParts) {
  const { go } = useConsole()
  const follow = (event: MouseEvent): void => {
    if (event.defaultPrevented || event.button !== 0 || event.metaKey || event.ctrlKey || event.shiftKey || event.altKey) return
    event.preventDefault()
    go(to)
  }
  return (
    <a {...rest} href={addressOf(to)} aria-current={current === true ? 'page' : undefined} onClick={follow}>
      {children}
    </a>
  )
}
