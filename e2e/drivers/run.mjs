// node e2e/drivers/run.mjs [--direct] [DRIVER...]: after `npm run build`.
await import('../dist/drivers/main.js')
