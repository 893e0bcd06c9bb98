// The bench is TypeScript like everything else; `npm run bench` builds it first.
await import('../dist/bench/main.js')
