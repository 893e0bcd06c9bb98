// The record: frames to a durable spool, to blocks in the database, and out again for replay and verify.

export { openRecorder } from './recorder.js'
export { defaultLimits } from './recorder-options.js'
export type { LocalRecorder, RecorderLimits, RecorderOptions, RecorderStatus } from './recorder-options.js'
export type { ShipperThread, StartShipper } from './shipper-link.js'
export { runShipper } from './shipper.js'
export type { ShipperOrder, ShipperPort, ShipperReport, ShipperStart } from './shipper.js'
export type * from './shipped.js'
export { replay } from './replay.js'
export { readPins } from './node-key.js'
export { verifyAll, verifyOne } from './verify.js'
export type { Pins, RecordVerdict } from './verify.js'
export type { Finding, FindingKind, SessionVerdict } from './findings.js'
