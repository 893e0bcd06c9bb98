import { defineConfig } from 'vitest/config'

// Unit tests stand beside their sources and open no socket; e2e tests drive real clients against real servers.
export default defineConfig({
  test: {
    reporters: ['default', './.ci/closing-line.ts'],
    projects: [
      {
        test: {
          name: 'unit',
          include: ['{packages,protocols}/*/src/**/*.test.ts'],
          testTimeout: 60_000,
          globalSetup: ['.ci/scratch.ts'],
          maxWorkers: '100%',
        },
      },
      {
        test: {
          name: 'e2e',
          include: ['e2e/**/*.test.ts'],
          testTimeout: 120_000,
          hookTimeout: 120_000,
          globalSetup: ['.ci/scratch.ts', 'e2e/backends/global-setup.ts'],
          // They mostly wait, for others; each has gateways, databases and names of its own, and the shared servers are only added to.
          maxWorkers: 3,
          sequence: { groupOrder: 1 },
        },
      },
    ],
  },
})
