// The console: a page for those who decide, those who look into what happened, and those who run the gateway.

import { render } from 'preact'
import { App } from './app.js'

const root = document.getElementById('console')
if (root !== null) render(<App />, root)
