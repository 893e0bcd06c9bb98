// The record: frames to a durable spool, to blocks in the database, and out again for replay and verify.

export { openRecorder, defaultLimits } from './recorder.js'
export type { LocalRecorder, RecorderLimits, RecorderOptions, RecorderStatus } from './recorder.js'
export type { ShipperThread, StartShipper } from './shipper-link.js'
export { runShipper } from './shipper.js'
export type { ShipperOrder, ShipperPort, ShipperReport, ShipperStart } from './shipper.js'
export type * from './shipped.js'
