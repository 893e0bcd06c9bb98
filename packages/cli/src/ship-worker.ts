// Where the recorder's shipper meets the store: both ends of the worker thread, so that what is passed in and what is expected stand in
// one file. Imported, it starts the thread; started as a thread, it ships.

import { Worker, isMainThread, parentPort, workerData } from 'node:worker_threads'
import { runShipper } from '@sallyport/recorder'
import type { ShipperOrder, ShipperPort, ShipperReport, ShipperStart, ShipperThread, StartShipper } from '@sallyport/recorder'
import { createSink } from '@sallyport/store'
import type { StoreConnection } from '@sallyport/store'

interface WorkerStart {
  readonly shipper: ShipperStart
  readonly connection: StoreConnection
}

/** A batch is 4 MiB of frames and its rows; what is young there dies young. */
const heap = { maxOldGenerationSizeMb: 256, maxYoungGenerationSizeMb: 1 }

/** For `openRecorder({ startShipper })`. `entry` is this module where it was built; tests that run from the sources name it. */
export function shipWorker(connection: StoreConnection, entry: URL = new URL('./ship-worker.js', import.meta.url)): StartShipper {
  return (shipper): ShipperThread => {
    const start: WorkerStart = { shipper, connection }
    const worker = new Worker(entry, { workerData: start, name: 'sallyport-shipper', resourceLimits: heap })
    // The gateway's own work decides how long the process lives, not the shipper's.
    worker.unref()
    return {
      order: (order) => worker.postMessage(order, []),
      onReport: (listener) => worker.on('message', (report: ShipperReport) => listener(report)),
      onEnd: (listener) => {
        let reason = 'it ended'
        worker.once('error', (error) => (reason = String(error)))
        worker.once('exit', () => listener(reason))
      },
      terminate: async () => {
        await worker.terminate()
      },
    }
  }
}

if (!isMainThread && parentPort !== null) {
  const inside = parentPort
  const { shipper, connection } = workerData as WorkerStart
  const port: ShipperPort = {
    report: (report) => inside.postMessage(report, []),
    onOrder: (listener) => inside.on('message', (order: ShipperOrder) => listener(order)),
  }
  await runShipper(shipper, createSink(connection), port)
  inside.close()
}
